/** A stand-in for the app that embeds the card: choose who is signed in, see the page in a phone. */

import "./page.css";
import { element, fill } from "../dom/element.ts";
import { answerPage } from "./page_answers.ts";

interface Setting {
  readonly card_url: string;
  readonly client_id: string;
  readonly accounts: readonly { readonly account: string; readonly name: string }[];
  readonly signed_in: string | null;
}

async function start(root: HTMLElement): Promise<void> {
  const setting = (await (await fetch("/api/setting")).json()) as Setting;
  let account = setting.signed_in;
  const screen = element("div", { class: "screen" });
  let frame: HTMLIFrameElement | null = null;

  const open = () => {
    frame = element("iframe", {
      title: "市民卡 Citizen card",
      src: `${setting.card_url}/citizen/`,
      allow: "screen-wake-lock",
    });
    fill(screen, frame);
  };
  const signIn = async (chosen: string) => {
    await post("/api/session", { account: chosen });
    account = chosen;
    show();
    open();
  };
  const chooser = element("nav", { "aria-label": "账号 Accounts" });
  const show = () =>
    fill(
      chooser,
      ...setting.accounts.map((one) =>
        element(
          "button",
          {
            type: "button",
            "aria-pressed": String(one.account === account),
            onclick: () => void signIn(one.account),
          },
          one.name,
        ),
      ),
    );

  answerPage(window, () => frame?.contentWindow ?? null, new URL(setting.card_url).origin, {
    account: () => (account === null ? null : { account, client_id: setting.client_id }),
    hostCode: async (fresh) => {
      if (fresh && !(await proved())) return null;
      const answer = await post("/api/host-code", { fresh });
      if (!answer.ok) return null;
      return ((await answer.json()) as { readonly host_code: string }).host_code;
    },
    brightness: (level) => {
      screen.classList.toggle("brightest", level !== null);
      return true;
    },
  });
  show();
  fill(
    root,
    element("h1", {}, "宿主应用（模拟）· Host app (simulated)"),
    element("p", {}, "选择登录账号，市民卡页面在下方框架中打开。Choose who is signed in."),
    chooser,
    screen,
  );
  if (account !== null) open();
}

/** A stand-in for the sensor: asks, and believes the answer. */
function proved(): Promise<boolean> {
  return new Promise((resolve) => {
    const dialog = element("dialog", { "aria-label": "验证本人 Verify" });
    const answer = (yes: boolean) => () => {
      resolve(yes);
      dialog.close();
      dialog.remove();
    };
    dialog.addEventListener("cancel", answer(false));
    fill(
      dialog,
      element("p", {}, "模拟验证：请按指纹 · Simulated: touch the sensor"),
      element("button", { type: "button", onclick: answer(true) }, "已验证 · Done"),
      element("button", { type: "button", onclick: answer(false) }, "取消 · Cancel"),
    );
    document.body.append(dialog);
    dialog.showModal();
  });
}

function post(path: string, body: object): Promise<Response> {
  const headers = { "Content-Type": "application/json" };
  return fetch(path, { method: "POST", headers, body: JSON.stringify(body) });
}

const root = document.getElementById("page");
if (root !== null) void start(root);
