/** Family: who pays for whom; one invites, the other accepts, each having just proved who they are. */

import { type Child, element, fill } from "../dom/element.ts";
import { type FamilyWord, told } from "./family_words.ts";

import { acted, asked, badge, list, loaded, type Page, type View, yuan } from "./page.ts";
import { choice, choices, OneByOne } from "./questions.ts";
import type { Me } from "./session.ts";
import { NAMES } from "./words.ts";

const INVITATIONS = "/v1/me/family-invitations";
const DAY_MS = 86_400_000;
const ORDER_FEN = [2_000, 5_000, 10_000, 50_000] as const;
const DAY_FEN = [5_000, 10_000, 30_000, 100_000] as const;
const LASTS_DAYS = [30, 182, 365] as const;
const USUAL_SCENES: ReadonlySet<string> = new Set(["bus", "hospital", "retail"]);

interface Terms {
  readonly kind: string;
  readonly scenes: readonly string[];
  readonly order_fen_max: number;
  readonly day_fen_max: number;
  readonly month_fen_max: number | null;
  readonly valid_to: string;
}

interface Delegation extends Terms {
  readonly delegation_id: string;
  readonly payer_id: string;
  readonly revoked_at: string | null;
  readonly other_name_masked: string | null;
}

interface Invitation extends Terms {
  readonly invitation_id: string;
  readonly inviter_pays: boolean;
  readonly expires_at: string;
  readonly state: string;
}

interface MadeInvitation extends Invitation {
  readonly code: string;
}

interface ShownInvitation extends Invitation {
  readonly inviter_name_masked: string | null;
}

export const familyView: View = {
  title: "family",
  back: "more",
  show: (page, body, leaving) => {
    const again = () => familyView.show(page, body, leaving);
    const read = () =>
      Promise.all([
        page.read<Me>("/v1/me"),
        page.read<{ readonly delegations: readonly Delegation[] }>("/v1/me/family"),
        page.read<{ readonly invitations: readonly Invitation[] }>(INVITATIONS),
      ]);
    return loaded(page, body, leaving, read, ([me, { delegations }, { invitations }]) => [
      list(
        delegations.map((one) =>
          delegationCard(page, body, one, one.payer_id === me.user_id, again),
        ),
        page.say("noFamily"),
      ),
      ...invitations
        .filter((one) => one.state === "open")
        .map((one) => invitationCard(page, body, one, again)),
      element(
        "nav",
        { class: "places", "aria-label": page.say("family") },
        step(page, "pay"),
        step(page, "ask"),
        step(page, "join"),
      ),
    ]);
  },
};

/** The pages of a new arrangement: `pay` and `ask` invite, `join` accepts. */
export function familyStepView(step: string): View {
  if (step === "join") return joinView;
  return {
    title: step === "ask" ? "familyAsk" : "familyPay",
    back: "family",
    show: (page, body) => fill(body, inviteForm(page, body, step !== "ask")),
  };
}

function step(page: Page, word: "pay" | "ask" | "join"): Child {
  return element("a", { class: "card place", href: `#family/${word}` }, told(page.language, word));
}

function terms(page: Page, one: Terms): Child {
  const amounts = [
    page.say("perOrder", { amount: yuan(one.order_fen_max) }),
    page.say("perDay", { amount: yuan(one.day_fen_max) }),
    one.month_fen_max !== null &&
      told(page.language, "perMonth", { amount: yuan(one.month_fen_max) }),
  ];
  return [
    element("p", {}, one.scenes.map((scene) => page.name("scene", scene)).join(" · ")),
    element("p", {}, amounts.filter((each) => each !== false).join(" · ")),
    element("p", { class: "quiet" }, page.say("validTo", { date: page.day(one.valid_to) })),
  ];
}

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
  const active = one.revoked_at === null;
  const name = one.other_name_masked ?? told(page.language, "somebody");
  return element(
    "section",
    { class: "card" },
    element(
      "div",
      { class: "heading" },
      element("h2", {}, page.say(mine ? "iPayFor" : "paysForMe", { name })),
      badge(
        active ? page.name("delegation", one.kind) : page.say("ended"),
        active ? "good" : "plain",
      ),
    ),
    terms(page, one),
    active &&
      element(
        "button",
        { type: "button", class: "danger wide", onclick: () => void end() },
        page.say("endDelegation"),
      ),
  );
}

function invitationCard(page: Page, body: HTMLElement, one: Invitation, again: () => void): Child {
  const end = async () => {
    if (!(await asked(page, told(page.language, "withdrawAsk")))) return;
    await acted(page, body, `${INVITATIONS}/${one.invitation_id}/withdrawal`, again);
  };
  const date = page.instant(one.expires_at);
  return element(
    "section",
    { class: "card" },
    element(
      "div",
      { class: "heading" },
      element("h2", {}, told(page.language, one.inviter_pays ? "pay" : "ask")),
      badge(told(page.language, "open"), "warn"),
    ),
    terms(page, one),
    element("p", { class: "quiet" }, told(page.language, "expiresAt", { date })),
    element(
      "button",
      { type: "button", class: "wide", onclick: () => void end() },
      told(page.language, "withdraw"),
    ),
  );
}

// Inviting

function inviteForm(page: Page, body: HTMLElement, inviterPays: boolean): HTMLElement {
  const say = (word: FamilyWord) => told(page.language, word);
  const wrong = element("p", { role: "alert", class: "wrong" });
  const form = element(
    "form",
    { class: "card" },
    choices(
      say("who"),
      "kind",
      (["guardian", "agent"] as const).map((kind) => [kind, say(kind)]),
    ),
    element(
      "fieldset",
      { class: "short" },
      element("legend", {}, say("where")),
      ...Object.keys(NAMES.scene).map((scene) =>
        choice("checkbox", "scenes", scene, page.name("scene", scene), USUAL_SCENES.has(scene)),
      ),
    ),
    choices(
      say("order"),
      "order",
      ORDER_FEN.map((fen) => [String(fen), yuan(fen)]),
    ),
    choices(
      say("day"),
      "day",
      DAY_FEN.map((fen) => [String(fen), yuan(fen)]),
    ),
    choices(
      say("until"),
      "days",
      LASTS_DAYS.map((days) => [String(days), say(`days${days}`)]),
      LASTS_DAYS.length - 1,
    ),
    wrong,
    element("p", { class: "quiet" }, say("sendHint")),
    element("button", { class: "primary wide" }, say("send")),
  );
  const questions = page.parts.look().elder ? new OneByOne(form, page.say("next")) : null;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (questions?.next() === true) return;
    const given = new FormData(form);
    const number = (name: string) => Number(given.get(name));
    const scenes = given.getAll("scenes").map(String);
    const fault =
      scenes.length === 0 ? "noScene" : number("day") < number("order") ? "dayTooSmall" : null;
    fill(wrong, fault !== null && say(fault));
    if (fault !== null) {
      questions?.back(fault === "noScene" ? 1 : 3);
      return;
    }
    const request = {
      inviter_pays: inviterPays,
      kind: String(given.get("kind")),
      scenes,
      order_fen_max: number("order"),
      day_fen_max: number("day"),
      valid_to: new Date(page.parts.clock.nowMs() + number("days") * DAY_MS).toISOString(),
    };
    page.actProved<MadeInvitation>(INVITATIONS, request).then(
      (made) => showCode(page, body, made),
      (error: unknown) =>
        fill(
          body,
          page.fault(error, () => fill(body, form)),
        ),
    );
  });
  return form;
}

function showCode(page: Page, body: HTMLElement, made: MadeInvitation): void {
  const say = (word: FamilyWord) => told(page.language, word);
  const copied = element("p", { role: "status", class: "quiet" });
  const copy = () =>
    void navigator.clipboard.writeText(made.code).then(
      () => fill(copied, say("copied")),
      // A web view may not let a page write there; the code stands on the screen.
      () => undefined,
    );
  fill(
    body,
    element(
      "section",
      { class: "card spoken-code" },
      element("h2", {}, say("made")),
      element("p", { class: "big-code" }, made.code),
      element("p", {}, say("tell")),
      terms(page, made),
      element("button", { type: "button", class: "wide", onclick: copy }, say("copy")),
      copied,
      element("a", { class: "button primary wide", href: "#family" }, say("back")),
    ),
  );
}

// Accepting

const joinView: View = {
  title: "familyJoin",
  back: "family",
  show: (page, body) => {
    const say = (word: FamilyWord) => told(page.language, word);
    const input = element("input", {
      name: "code",
      required: true,
      minlength: 12,
      maxlength: 40,
      autocomplete: "off",
      autocapitalize: "characters",
      spellcheck: "false",
      placeholder: "XXXX-XXXX-XXXX",
      class: "code-input",
    });
    const form = element(
      "form",
      { class: "card" },
      element("label", { class: "field" }, say("code"), input),
      element("button", { class: "primary wide" }, say("look")),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const code = input.value;
      page.act<ShownInvitation>(`${INVITATIONS}/opening`, { code }).then(
        (found) => fill(body, offer(page, body, found, code)),
        (error: unknown) =>
          fill(
            body,
            page.fault(error, () => fill(body, form)),
          ),
      );
    });
    fill(body, form);
  },
};

function offer(page: Page, body: HTMLElement, found: ShownInvitation, code: string): HTMLElement {
  const say = (word: FamilyWord) => told(page.language, word);
  const name = found.inviter_name_masked ?? say("somebody");
  const accept = () =>
    void page.actProved(`${INVITATIONS}/acceptance`, { code }).then(
      () => {
        location.hash = "#family";
      },
      (error: unknown) =>
        fill(
          body,
          page.fault(error, () => fill(body, offer(page, body, found, code))),
        ),
    );
  return element(
    "section",
    { class: "card" },
    element("h2", {}, told(page.language, found.inviter_pays ? "offers" : "asks", { name })),
    badge(page.name("delegation", found.kind), "plain"),
    terms(page, found),
    element("p", { class: "quiet" }, say("acceptHint")),
    element("button", { type: "button", class: "primary wide", onclick: accept }, say("accept")),
    element("a", { class: "button wide", href: "#family" }, say("refuse")),
  );
}
