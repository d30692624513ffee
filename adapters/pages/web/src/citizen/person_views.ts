/** Cards and devices, family, who looked, how the page looks. */

import { type Child, element, fill } from "../dom/element.ts";
import { icon } from "../dom/icon.ts";
import { PLACE_DRAWINGS } from "./drawings.ts";
import { acted, asked, badge, list, loaded, type Page, type View } from "./page.ts";
import type { Me } from "./session.ts";
import type { Word } from "./words.ts";

interface Thing {
  readonly kind: string;
  readonly status: string;
  readonly label: string | null;
  readonly liability_from: string | null;
  readonly lossPath: string;
}

interface Card {
  readonly card_id: string;
  readonly kind: string;
  readonly number_masked: string;
  readonly status: string;
  readonly liability_from: string | null;
}

interface Credential {
  readonly credential_id: string;
  readonly kind: string;
  readonly status: string;
  readonly label_masked: string | null;
  readonly valid_from: string;
  readonly liability_from: string | null;
}

interface Access {
  readonly recorded_at: string;
  readonly client_id: string;
  readonly purpose_zh: string;
  readonly purpose_en: string;
  readonly in_clear: boolean;
}

export const cardsView: View = {
  title: "cards",
  back: "more",
  show: (page, body, leaving) => {
    const again = () => cardsView.show(page, body, leaving);
    return loaded(
      page,
      body,
      leaving,
      () => things(page),
      (found) =>
        list(
          found.map((one) => thingCard(page, body, one, again)),
          page.say("noCards"),
        ),
    );
  },
};

async function things(page: Page): Promise<readonly Thing[]> {
  const [{ cards }, { credentials }] = await Promise.all([
    page.read<{ readonly cards: readonly Card[] }>("/v1/me/cards"),
    page.read<{ readonly credentials: readonly Credential[] }>("/v1/me/credentials"),
  ]);
  return [
    ...cards.map((card) => ({
      kind: card.kind,
      status: card.status,
      label: card.number_masked,
      liability_from: card.liability_from,
      lossPath: `/v1/me/cards/${card.card_id}/loss`,
    })),
    ...credentials.map((one) => ({
      kind: one.kind,
      status: one.status,
      label: one.label_masked ?? page.say("addedOn", { date: page.day(one.valid_from) }),
      liability_from: one.liability_from,
      lossPath: `/v1/me/credentials/${one.credential_id}/loss`,
    })),
  ];
}

function thingCard(page: Page, body: HTMLElement, thing: Thing, again: () => void): Child {
  const lose = async () => {
    if (await asked(page, page.say("reportLossAsk")))
      await acted(page, body, thing.lossPath, again);
  };
  const active = thing.status === "active";
  return element(
    "section",
    { class: "card" },
    element(
      "div",
      { class: "heading" },
      element("h2", {}, page.name("thing", thing.kind)),
      badge(page.name("status", thing.status), active ? "good" : "warn"),
    ),
    element("p", { class: "quiet" }, thing.label),
    thing.liability_from !== null &&
      element("p", {}, page.say("liability", { date: page.instant(thing.liability_from) })),
    active &&
      element(
        "button",
        { type: "button", class: "danger wide", onclick: () => void lose() },
        page.say("reportLoss"),
      ),
  );
}

export const accessesView: View = {
  title: "accesses",
  back: "more",
  show: (page, body, leaving) =>
    loaded(
      page,
      body,
      leaving,
      () =>
        Promise.all([
          page.read<Me>("/v1/me"),
          page.read<{ readonly accesses: readonly Access[] }>("/v1/me/data-accesses"),
        ]),
      ([me, { accesses }]) =>
        list(
          together(accesses).map((looks) => looksCard(page, looks, me.user_id)),
          page.say("noAccesses"),
        ),
    ),
};

/** Looks of the same viewer for the same purpose one after another, newest first. */
interface Looks {
  readonly last: Access;
  times: number;
}

function together(accesses: readonly Access[]): readonly Looks[] {
  const found: Looks[] = [];
  for (const one of accesses) {
    const before = found.at(-1);
    const same =
      before !== undefined &&
      before.last.client_id === one.client_id &&
      before.last.purpose_en === one.purpose_en &&
      before.last.in_clear === one.in_clear;
    if (same) before.times += 1;
    else found.push({ last: one, times: 1 });
  }
  return found;
}

function looksCard(page: Page, { last, times }: Looks, userId: string): Child {
  return element(
    "section",
    { class: "card" },
    element(
      "div",
      { class: "heading" },
      element("h2", {}, viewer(page, last.client_id, userId)),
      badge(page.say(last.in_clear ? "seenClear" : "seenMasked"), last.in_clear ? "warn" : "plain"),
    ),
    element("p", {}, page.language === "zh-CN" ? last.purpose_zh : last.purpose_en),
    element(
      "p",
      { class: "quiet" },
      page.instant(last.recorded_at),
      times > 1 && ` · ${page.say("seenTimes", { n: times })}`,
    ),
  );
}

function viewer(page: Page, clientId: string, userId: string): string {
  if (!clientId.startsWith("user:")) return page.name("viewer", clientId);
  return page.say(clientId === `user:${userId}` ? "seenByYou" : "seenByFamily");
}

const PLACES: readonly (readonly [string, Word])[] = [
  ["cards", "cards"],
  ["disputes", "disputes"],
  ["family", "family"],
  ["visitors", "visitors"],
  ["guidance", "guidance"],
  ["accesses", "accesses"],
  ["settings", "settings"],
];
const ELDER_PLACES: readonly (readonly [string, Word])[] = [
  ["funds", "funds"],
  ["orders", "orders"],
  ["scenes", "scenes"],
  ...PLACES,
];

export const moreView: View = {
  title: "more",
  show: async (page, body, leaving) => {
    const hello = element("p", { class: "hello" });
    const ready = element("p", { class: "quiet" });
    const places = page.parts.look().elder ? ELDER_PLACES : PLACES;
    fill(
      body,
      hello,
      element(
        "nav",
        { class: "places", "aria-label": page.say("moreServices") },
        ...places.map(([hash, word]) =>
          element(
            "a",
            { class: "card place", href: `#${hash}` },
            icon(PLACE_DRAWINGS[hash]),
            element("span", {}, page.say(word)),
          ),
        ),
      ),
      ready,
    );
    const { codes } = page.parts;
    const untilMs = await codes.offlineUntilMs();
    fill(
      ready,
      untilMs === null
        ? `${page.say("offlineNotReady")} ${codes.refused ?? ""}`
        : page.say("offlineReady", { date: page.instant(untilMs) }),
    );
    const me = await page.read<Me>("/v1/me").catch(() => null);
    if (me !== null && me.name_masked !== null && !leaving.aborted) {
      fill(hello, page.say("signedInAs", { name: me.name_masked }));
    }
  },
};

export const settingsView: View = {
  title: "settings",
  back: "more",
  show: (page, body) => {
    const { look, change, session } = page.parts;
    const { elder, language } = look();
    const segment = (text: string, pressed: boolean, choose: () => void, lang?: string) =>
      element(
        "button",
        { type: "button", "aria-pressed": String(pressed), onclick: choose, lang },
        text,
      );
    const told = element("p", { role: "status" });
    const leave = () => void session.close().then(() => fill(told, page.say("signOutDone")));
    fill(
      body,
      element(
        "section",
        { class: "card" },
        element("h2", {}, page.say("display")),
        element(
          "div",
          { class: "segments", role: "group", "aria-label": page.say("display") },
          segment(page.say("standard"), !elder, () => change({ elder: false })),
          segment(page.say("elder"), elder, () => change({ elder: true })),
        ),
      ),
      element(
        "section",
        { class: "card" },
        element("h2", {}, page.say("language")),
        element(
          "div",
          { class: "segments", role: "group", "aria-label": page.say("language") },
          segment("中文", language === "zh-CN", () => change({ language: "zh-CN" }), "zh-CN"),
          segment("English", language === "en", () => change({ language: "en" }), "en"),
        ),
      ),
      element("button", { type: "button", class: "wide", onclick: leave }, page.say("signOut")),
      told,
    );
  },
};
