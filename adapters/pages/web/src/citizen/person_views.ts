/** Cards and devices, family, who looked, how the page looks. */

import { type Child, element, fill } from "../dom/element.ts";
import { acted, asked, badge, list, loaded, type Page, pairs, type View, yuan } from "./page.ts";
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

interface Delegation {
  readonly delegation_id: string;
  readonly payer_id: string;
  readonly kind: string;
  readonly scenes: readonly string[];
  readonly order_fen_max: number;
  readonly day_fen_max: number;
  readonly valid_to: string;
  readonly revoked_at: string | null;
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
      label: one.label_masked ?? page.instant(one.valid_from),
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
    element("h2", {}, page.name("thing", thing.kind)),
    element("p", { class: "quiet" }, thing.label),
    badge(page.name("status", thing.status), active ? "good" : "warn"),
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

export const familyView: View = {
  title: "family",
  back: "more",
  show: (page, body, leaving) => {
    const again = () => familyView.show(page, body, leaving);
    return loaded(
      page,
      body,
      leaving,
      () =>
        Promise.all([
          page.read<Me>("/v1/me"),
          page.read<{ readonly delegations: readonly Delegation[] }>("/v1/me/delegations"),
        ]),
      ([me, { delegations }]) => [
        list(
          delegations.map((one) =>
            delegationCard(page, body, one, one.payer_id === me.user_id, again),
          ),
          page.say("noFamily"),
        ),
        element("p", { class: "quiet" }, page.say("newDelegation")),
      ],
    );
  },
};

function delegationCard(
  page: Page,
  body: HTMLElement,
  one: Delegation,
  mine: boolean,
  again: () => void,
): Child {
  const end = async () => {
    const path = `/v1/me/delegations/${one.delegation_id}/revocation`;
    if (await asked(page, page.say("endDelegationAsk"))) await acted(page, body, path, again);
  };
  return element(
    "section",
    { class: "card" },
    element("h2", {}, page.say(mine ? "iPayFor" : "paysForMe")),
    badge(
      one.revoked_at === null ? page.name("delegation", one.kind) : page.say("ended"),
      one.revoked_at === null ? "good" : "plain",
    ),
    element("p", {}, one.scenes.map((scene) => page.name("scene", scene)).join(" · ")),
    element("p", {}, page.say("perOrder", { amount: yuan(one.order_fen_max) })),
    element("p", {}, page.say("perDay", { amount: yuan(one.day_fen_max) })),
    element("p", { class: "quiet" }, page.say("validTo", { date: page.instant(one.valid_to) })),
    one.revoked_at === null &&
      element(
        "button",
        { type: "button", class: "danger wide", onclick: () => void end() },
        page.say("endDelegation"),
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
      () => page.read<{ readonly accesses: readonly Access[] }>("/v1/me/data-accesses"),
      ({ accesses }) =>
        list(
          accesses.map((one) => accessCard(page, one)),
          page.say("noAccesses"),
        ),
    ),
};

function accessCard(page: Page, one: Access): Child {
  return element(
    "section",
    { class: "card" },
    element("h2", {}, page.language === "zh-CN" ? one.purpose_zh : one.purpose_en),
    pairs([page.say("placed"), page.instant(one.recorded_at)]),
    element("p", {}, one.client_id.startsWith("user:") ? page.say("seenByYou") : one.client_id),
    badge(page.say(one.in_clear ? "seenClear" : "seenMasked"), one.in_clear ? "warn" : "plain"),
  );
}

const PLACES: readonly (readonly [string, Word])[] = [
  ["cards", "cards"],
  ["disputes", "disputes"],
  ["family", "family"],
  ["visitors", "visitors"],
  ["accesses", "accesses"],
  ["settings", "settings"],
];
const ELDER_PLACES: readonly (readonly [string, Word])[] = [
  ["funds", "funds"],
  ["orders", "orders"],
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
          element("a", { class: "card place", href: `#${hash}` }, page.say(word)),
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
        element(
          "div",
          { class: "segments", role: "group", "aria-label": page.say("settings") },
          segment(page.say("standard"), !elder, () => change({ elder: false })),
          segment(page.say("elder"), elder, () => change({ elder: true })),
        ),
      ),
      element(
        "section",
        { class: "card" },
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
