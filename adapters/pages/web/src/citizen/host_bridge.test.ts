// The bridge to the host, and the host's half of it: who is answered, and who is not.

import assert from "node:assert/strict";
import { describe, it, mock } from "node:test";
import { answerPage, type HostAnswers } from "../host/page_answers.ts";
import {
  ANSWER_WITHIN_MS,
  BrowserBridge,
  bridgeOf,
  HostSilentError,
  type NativeHost,
  WindowBridge,
} from "./host_bridge.ts";

const APP = "https://app.example";
const CARD = "https://card.example";

/** Two windows that post to each other as browsers do: by origin, and never synchronously. */
class FakeWindow extends EventTarget {
  readonly origin: string;
  peer: FakeWindow | null = null;
  parent: unknown = this;
  opener: unknown = null;
  cardcoreHost?: NativeHost;

  constructor(origin: string) {
    super();
    this.origin = origin;
  }

  postMessage(data: unknown, targetOrigin: string): void {
    if (targetOrigin !== this.origin) return;
    this.hear(data, this.peer?.origin ?? "", this.peer);
  }

  hear(data: unknown, origin: string, source: unknown): void {
    const event = Object.assign(new Event("message"), { data, origin, source });
    queueMicrotask(() => this.dispatchEvent(event));
  }

  get window(): Window {
    return this as unknown as Window;
  }
}

function pair(): { page: FakeWindow; host: FakeWindow } {
  const [page, host] = [new FakeWindow(CARD), new FakeWindow(APP)];
  page.peer = host;
  host.peer = page;
  page.parent = host;
  return { page, host };
}

const answers: HostAnswers = {
  account: () => ({ account: "a1", client_id: "app" }),
  hostCode: () => Promise.resolve("code-1"),
  brightness: (level) => level === 1,
};

describe("a page in a host's window", () => {
  it("is told account and code, and gets its brightness", async () => {
    const { page, host } = pair();
    answerPage(host.window, () => page.window, CARD, answers);
    const bridge = bridgeOf(page.window, [APP]);
    assert.equal(bridge.kind, "window");
    assert.deepEqual(await bridge.account(), { account: "a1", clientId: "app" });
    assert.equal(await bridge.hostCode(), "code-1");
    assert.equal(await bridge.brightness(1), true);
    assert.equal(await bridge.brightness(null), false);
  });

  it("hears nobody but the window and the origin it knows", async () => {
    mock.timers.enable({ apis: ["setTimeout"] });
    try {
      const { page, host } = pair();
      const asked = new WindowBridge(page.window, host.window, [APP]).hostCode();
      const lie = { cardcore: 1, id: 1, host_code: "stolen" };
      page.hear(lie, "https://evil.example", host);
      page.hear(lie, APP, new FakeWindow(APP));
      page.hear({ ...lie, id: 2 }, APP, host);
      page.hear({ ...lie, cardcore: 2 }, APP, host);
      page.hear("host_code", APP, host);
      await Promise.resolve();
      const failed = assert.rejects(asked, HostSilentError);
      mock.timers.tick(ANSWER_WITHIN_MS);
      await failed;
    } finally {
      mock.timers.reset();
    }
  });

  it("is not answered when another page asks from its place", async () => {
    const { page, host } = pair();
    let told = 0;
    answerPage(host.window, () => page.window, CARD, {
      ...answers,
      hostCode: () => {
        told += 1;
        return Promise.resolve("code");
      },
    });
    const question = { cardcore: 1, id: 1, ask: "host_code" };
    host.hear(question, "https://evil.example", page);
    host.hear(question, CARD, new FakeWindow(CARD));
    host.hear({ ...question, cardcore: 9 }, CARD, page);
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(told, 0);
    host.hear(question, CARD, page);
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(told, 1);
  });

  it("finds nobody signed in where the host says nothing of an account", async () => {
    const { page, host } = pair();
    answerPage(host.window, () => page.window, CARD, { ...answers, account: () => null });
    assert.equal(await bridgeOf(page.window, [APP]).account(), null);
  });
});

describe("a page in a native app or a plain browser", () => {
  it("asks the injected object, whether it answers at once or later", async () => {
    for (const late of [false, true]) {
      const page = new FakeWindow(CARD);
      const said = (request: string) => {
        const { ask } = JSON.parse(request) as { ask: string };
        const told = {
          account: { account: "n1", client_id: "app" },
          host_code: { host_code: "c" },
        };
        return JSON.stringify(told[ask as keyof typeof told] ?? {});
      };
      page.cardcoreHost = {
        ask: (request) => (late ? Promise.resolve(said(request)) : said(request)),
      };
      const bridge = bridgeOf(page.window, []);
      assert.equal(bridge.kind, "native");
      assert.deepEqual(await bridge.account(), { account: "n1", clientId: "app" });
      assert.equal(await bridge.hostCode(), "c");
      assert.equal(await bridge.brightness(1), false);
    }
  });

  it("has no host in a plain browser, nor in a frame of an app nobody named", async () => {
    const { page } = pair();
    const alone = new FakeWindow(CARD);
    for (const bridge of [bridgeOf(page.window, []), bridgeOf(alone.window, [APP])]) {
      assert.ok(bridge instanceof BrowserBridge);
      assert.equal(await bridge.account(), null);
      assert.equal(await bridge.hostCode(), null);
      assert.equal(await bridge.brightness(), false);
    }
  });

  it("asks the window that opened it", () => {
    const page = new FakeWindow(CARD);
    page.opener = new FakeWindow(APP);
    assert.equal(bridgeOf(page.window, [APP]).kind, "window");
  });
});
