/** Where to go with a complaint, and what comes next in a visit. Nothing written here is kept. */

import { type Child, element, fill } from "../dom/element.ts";
import { type GuidanceWord, told } from "./guidance_words.ts";
import { asked, loaded, type Page, type View, yuan } from "./page.ts";
import { choice, choices, OneByOne } from "./questions.ts";

const TEXT_MAX = 300;
const LIVE: ReadonlySet<string> = new Set(["held", "booked", "checked_in", "passed", "called"]);
const VISITS_MAX = 2;
const REGISTRATIONS = "/v1/me/hospital-registrations";

interface Clinic {
  readonly merchant_id: string;
  readonly schedule_id: string;
  readonly fee_fen: number;
  readonly dept_name_zh: string;
  readonly dept_name_en: string;
  readonly place: string;
  readonly place_en: string;
  readonly visit_on: string;
  readonly session: "morning" | "afternoon" | "evening";
  readonly free_count: number;
}

interface Ranked {
  readonly specialty: string;
  readonly name_zh: string;
  readonly name_en: string;
  readonly words: readonly string[];
  readonly clinics: readonly Clinic[];
}

interface RedFlag {
  readonly level: string;
  readonly title_zh: string;
  readonly title_en: string;
  readonly advice_zh: string;
  readonly advice_en: string;
  readonly words: readonly string[];
}

interface Guidance {
  readonly urgency: string;
  readonly red_flags: readonly RedFlag[];
  readonly departments: readonly Ranked[];
  readonly ask_zh: string | null;
  readonly ask_en: string | null;
  readonly notice_zh: string;
  readonly notice_en: string;
}

interface Step {
  readonly title_zh: string;
  readonly title_en: string;
  readonly place: {
    readonly name_zh: string;
    readonly name_en: string;
    readonly floor_zh: string;
    readonly floor_en: string;
    readonly window_no: string | null;
  } | null;
  readonly queue_no: number | null;
  readonly ahead: number | null;
}

interface Registration {
  readonly registration_id: string;
  readonly visit_on: string;
  readonly state: string;
}

export const guidanceView: View = {
  title: "guidance",
  back: "more",
  show: (page, body, leaving) => {
    const visits = element("div", { class: "entries" });
    fill(body, visits, complaint(page, body, leaving));
    return shownVisits(page, visits, leaving);
  },
};

function word(
  page: Page,
  name: GuidanceWord,
  filled?: Readonly<Record<string, string | number>>,
): string {
  return told(page.language, name, filled);
}

/** Of two texts the one in the person's language. */
function own(page: Page, zh: string, en: string): string {
  return page.language === "zh-CN" ? zh : en;
}

function complaint(page: Page, body: HTMLElement, leaving: AbortSignal): HTMLElement {
  const text = element("textarea", {
    name: "text",
    rows: 4,
    maxlength: TEXT_MAX,
    autocomplete: "off",
    "aria-describedby": "guidance-hint",
  });
  const age = element("input", {
    name: "age",
    type: "text",
    inputmode: "numeric",
    maxlength: 3,
    "aria-label": word(page, "age"),
  });
  const old = choices(word(page, "age"), "unit", units(page));
  old.querySelector("legend")?.after(element("div", { class: "field" }, age));
  const sex = choices(word(page, "sex"), "sex", [
    ["", word(page, "unsaid")],
    ["f", word(page, "f")],
    ["m", word(page, "m")],
  ]);
  sex.append(choice("checkbox", "pregnant", "yes", word(page, "pregnant"), false));
  const wrong = element("p", { class: "wrong", role: "alert" });
  const form = element(
    "form",
    { class: "card" },
    element(
      "fieldset",
      {},
      element("label", { class: "field" }, word(page, "text"), text),
      element("p", { id: "guidance-hint" }, word(page, "hint")),
    ),
    old,
    sex,
    wrong,
    element("button", { type: "submit", class: "primary wide" }, word(page, "send")),
    element("p", { class: "quiet" }, word(page, "kept")),
  );
  const steps = page.parts.look().elder ? new OneByOne(form, word(page, "next")) : null;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const said = text.value.trim();
    const years = age.value.trim();
    fill(wrong);
    if (said === "" || !/^\d{0,3}$/.test(years) || Number(years) > 130) {
      steps?.back(said === "" ? 0 : 1);
      fill(wrong, word(page, said === "" ? "empty" : "wrongAge"));
      return;
    }
    if (steps?.next() === true) return;
    const ask = complaintOf(new FormData(form), said, years);
    const post = () =>
      page.parts.session.within(() =>
        page.parts.api.post<Guidance>("/v1/me/hospital-guidance", ask),
      );
    const again = () => void guidanceView.show(page, body, leaving);
    scrollTo(0, 0);
    const take = (clinic: Clinic) => void taken(page, body, clinic, again);
    void loaded(page, body, leaving, post, (found) => advice(page, found, take, again));
  });
  return form;
}

function units(page: Page): readonly (readonly [string, string])[] {
  return (["years", "months", "days"] as const).map((one) => [one, word(page, one)] as const);
}

/** The request; what nobody said is left out. */
function complaintOf(form: FormData, text: string, age: string): object {
  const sex = String(form.get("sex") ?? "");
  return {
    text,
    ...(age === "" ? {} : { age: { [String(form.get("unit"))]: Number(age) } }),
    ...(sex === "" ? {} : { sex }),
    ...(form.get("pregnant") === null ? {} : { pregnant: true }),
  };
}

function advice(
  page: Page,
  found: Guidance,
  take: (clinic: Clinic) => void,
  again: () => void,
): Child {
  const ask = own(page, found.ask_zh ?? "", found.ask_en ?? "");
  return [
    ...found.red_flags.map((flag) => alarm(page, flag)),
    ask !== "" && element("section", { class: "card", role: "status" }, element("p", {}, ask)),
    ...found.departments.map((one) => department(page, one, take)),
    element("p", { class: "quiet" }, own(page, found.notice_zh, found.notice_en)),
    element("button", { type: "button", class: "wide", onclick: again }, word(page, "again")),
  ];
}

function alarm(page: Page, flag: RedFlag): Child {
  return element(
    "section",
    { class: "card alarm", role: "alert" },
    element("h2", {}, own(page, flag.title_zh, flag.title_en)),
    element("p", {}, own(page, flag.advice_zh, flag.advice_en)),
    because(page, flag.words),
    flag.level === "call_120" &&
      element("a", { class: "button wide call", href: "tel:120" }, word(page, "call")),
  );
}

function because(page: Page, words: readonly string[]): Child {
  if (words.length === 0) return null;
  const said = words.join(page.language === "zh-CN" ? "、" : ", ");
  return element("p", { class: "quiet" }, word(page, "because", { words: said }));
}

function department(page: Page, one: Ranked, take: (clinic: Clinic) => void): Child {
  return element(
    "section",
    { class: "card" },
    element("h2", {}, own(page, one.name_zh, one.name_en)),
    because(page, one.words),
    one.clinics.length === 0
      ? one.specialty !== "emergency" && element("p", { class: "quiet" }, word(page, "noClinics"))
      : element(
          "ul",
          { class: "clinics" },
          ...one.clinics.map((clinic) => clinicLine(page, clinic, take)),
        ),
  );
}

function clinicLine(page: Page, clinic: Clinic, take: (clinic: Clinic) => void): Child {
  return element(
    "li",
    {},
    `${half(page, clinic)} · ${own(page, clinic.place, clinic.place_en)} · `,
    word(page, "free", { n: clinic.free_count }),
    element(
      "button",
      { type: "button", class: "wide", onclick: () => take(clinic) },
      word(page, "take"),
    ),
  );
}

/** Which department on which half day. */
function half(page: Page, clinic: Clinic): string {
  const name = own(page, clinic.dept_name_zh, clinic.dept_name_en);
  return `${name} · ${clinic.visit_on} ${word(page, clinic.session)}`;
}

/** Takes a place for oneself where the person says so; then shows what comes next in the visit. */
async function taken(
  page: Page,
  body: HTMLElement,
  clinic: Clinic,
  again: () => void,
): Promise<void> {
  const fee = yuan(clinic.fee_fen);
  if (!(await asked(page, word(page, "takeAsk", { which: half(page, clinic), fee })))) return;
  const { merchant_id, schedule_id } = clinic;
  try {
    await page.act(REGISTRATIONS, { merchant_id, schedule_id });
    again();
  } catch (fault) {
    fill(body, page.fault(fault, again));
  }
  scrollTo(0, 0);
}

/** The next step of each visit that is under way; nothing where there is none. */
async function shownVisits(page: Page, into: Element, leaving: AbortSignal): Promise<void> {
  const read = async () => {
    const { registrations } = await page.read<{ readonly registrations: readonly Registration[] }>(
      REGISTRATIONS,
    );
    const live = registrations.filter((one) => LIVE.has(one.state)).slice(0, VISITS_MAX);
    return Promise.all(
      live.map(async (one) => {
        const way = `${REGISTRATIONS}/${one.registration_id}/next-steps`;
        return [one, (await page.read<{ readonly steps: readonly Step[] }>(way)).steps] as const;
      }),
    );
  };
  const found = await read().catch(() => []);
  if (leaving.aborted) return;
  fill(
    into,
    found.map(([one, steps]) => visitCard(page, one, steps)),
  );
}

function visitCard(page: Page, one: Registration, steps: readonly Step[]): Child {
  const [next, ...later] = steps;
  if (next === undefined) return null;
  const where = next.place;
  return element(
    "section",
    { class: "card" },
    element("h2", {}, `${word(page, "visit")} · ${one.visit_on}`),
    element("p", {}, own(page, next.title_zh, next.title_en)),
    where !== null &&
      element(
        "p",
        {},
        `${own(page, where.floor_zh, where.floor_en)} · ${own(page, where.name_zh, where.name_en)}`,
        where.window_no !== null && ` · ${word(page, "window", { n: where.window_no })}`,
      ),
    next.queue_no !== null && element("p", {}, word(page, "number", { n: next.queue_no })),
    next.ahead !== null && element("p", {}, word(page, "ahead", { n: next.ahead })),
    later.length > 0 &&
      element(
        "p",
        { class: "quiet" },
        word(page, "then"),
        later.map((step) => own(page, step.title_zh, step.title_en)).join(" → "),
      ),
  );
}
