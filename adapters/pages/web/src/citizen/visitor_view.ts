/** Letting visitors in: a pass for doors of one's own, shown once as a QR code, and the list of passes. */

import { type Child, element, fill } from "../dom/element.ts";
import { drawQR } from "./code_view.ts";
import { acted, asked, badge, list, loaded, type Page, type View } from "./page.ts";
import { PURPOSES, type Purpose, told, type VisitorWord } from "./visitor_words.ts";

const PASSES = "/v1/me/visitor-passes";
const DAY_MS = 86_400_000;
const DAYS_MAX = 7;
const USES = [1, 2, 5, 10] as const;

interface Pass {
  readonly pass_id: string;
  readonly purpose: Purpose;
  readonly door_groups: readonly string[];
  readonly valid_from: string;
  readonly valid_to: string;
  readonly starts: string | null;
  readonly ends: string | null;
  readonly uses_max: number;
  readonly used: number;
  readonly ended: boolean;
}

interface Passes {
  readonly passes: readonly Pass[];
  readonly door_groups: readonly string[];
}

interface GivenPass extends Pass {
  readonly text: string;
}

export const visitorsView: View = {
  title: "visitors",
  back: "more",
  show: (page, body, leaving) => {
    const again = (): void => void visitorsView.show(page, body, leaving);
    const read = (): Promise<Passes> => page.read<Passes>(PASSES);
    return loaded(page, body, leaving, read, (found) => [
      found.door_groups.length === 0
        ? element("p", { class: "quiet" }, word(page, "noDoors"))
        : invitation(page, body, found.door_groups, again),
      list(
        found.passes.map((pass) => passCard(page, body, pass, again)),
        word(page, "none"),
      ),
    ]);
  },
};

function word(page: Page, name: VisitorWord, filled?: Readonly<Record<string, number>>): string {
  return told(page.language, name, filled);
}

function passCard(page: Page, body: HTMLElement, pass: Pass, again: () => void): Child {
  const { used, uses_max: max, ended, starts, ends } = pass;
  const hours =
    starts !== null && ends !== null ? ` ${starts.slice(0, 5)}–${ends.slice(0, 5)}` : "";
  const end = async (): Promise<void> => {
    if (!(await asked(page, word(page, "endAsk")))) return;
    await acted(page, body, `${PASSES}/${pass.pass_id}/end`, again);
  };
  return element(
    "section",
    { class: "card" },
    element(
      "h2",
      {},
      word(page, pass.purpose),
      " ",
      badge(word(page, ended ? "ended" : "good"), ended ? "plain" : "good"),
    ),
    element("p", {}, `${pass.valid_from} – ${pass.valid_to}${hours}`),
    element(
      "p",
      { class: "quiet" },
      pass.door_groups.join("、"),
      " · ",
      word(page, "used", { used, max }),
    ),
    !ended && element("button", { type: "button", onclick: () => void end() }, word(page, "end")),
  );
}

/** The form of a new pass. */
function invitation(
  page: Page,
  body: HTMLElement,
  doors: readonly string[],
  again: () => void,
): HTMLElement {
  const today = localDay(page.parts.clock.nowMs());
  const last = localDay(page.parts.clock.nowMs() + (DAYS_MAX - 1) * DAY_MS);
  const form = element(
    "form",
    { class: "card invitation" },
    element("h2", {}, word(page, "give")),
    choices(
      page,
      "purpose",
      PURPOSES.map((one) => [one, word(page, one)] as const),
      "radio",
    ),
    doors.length > 1 &&
      choices(
        page,
        "doors",
        doors.map((one) => [one, one] as const),
        "checkbox",
      ),
    field(page, "from", {
      type: "date",
      name: "from",
      value: today,
      min: today,
      max: last,
      required: true,
    }),
    field(page, "to", {
      type: "date",
      name: "to",
      value: today,
      min: today,
      max: last,
      required: true,
    }),
    element(
      "fieldset",
      {},
      element("legend", {}, word(page, "hours")),
      field(page, "starts", { type: "time", name: "starts" }),
      field(page, "ends", { type: "time", name: "ends" }),
    ),
    choices(
      page,
      "uses",
      USES.map((one) => [String(one), String(one)] as const),
      "radio",
      1,
    ),
    element("button", { class: "primary wide" }, word(page, "send")),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void give(page, body, asRequest(new FormData(form), doors), again);
  });
  return form;
}

function choices(
  page: Page,
  name: VisitorWord,
  options: readonly (readonly [string, string])[],
  type: "radio" | "checkbox",
  chosen = 0,
): HTMLElement {
  return element(
    "fieldset",
    {},
    element("legend", {}, word(page, name)),
    ...options.map(([value, text], at) =>
      element(
        "label",
        { class: "choice" },
        element("input", { type, name, value, checked: type === "checkbox" || at === chosen }),
        text,
      ),
    ),
  );
}

function field(
  page: Page,
  name: VisitorWord,
  input: Readonly<Record<string, unknown>>,
): HTMLElement {
  return element("label", { class: "field" }, word(page, name), element("input", input));
}

function asRequest(form: FormData, doors: readonly string[]): object {
  const text = (name: string): string => String(form.get(name) ?? "");
  const clock = (name: string): string | null => (text(name) === "" ? null : `${text(name)}:00`);
  return {
    purpose: text("purpose"),
    door_groups: doors.length > 1 ? form.getAll("doors").map(String) : doors,
    valid_from: text("from"),
    valid_to: text("to"),
    starts: clock("starts"),
    ends: clock("ends"),
    uses_max: Number(text("uses")),
  };
}

async function give(
  page: Page,
  body: HTMLElement,
  request: object,
  again: () => void,
): Promise<void> {
  try {
    showGiven(page, body, await page.act<GivenPass>(PASSES, request), again);
  } catch (fault) {
    fill(body, page.fault(fault, again));
  }
}

function showGiven(page: Page, body: HTMLElement, pass: GivenPass, again: () => void): void {
  const canvas = element("canvas", { class: "qr", role: "img", "aria-label": word(page, "qr") });
  drawQR(canvas, pass.text);
  const picture = enlarged(canvas);
  fill(
    body,
    element(
      "section",
      { class: "card code", role: "status" },
      element("h2", {}, word(page, "made")),
      element("div", { class: "frame" }, canvas),
      element("p", {}, word(page, "once")),
      element(
        "a",
        { class: "button wide", download: "visitor-pass.png", href: picture },
        word(page, "save"),
      ),
      element("button", { type: "button", class: "wide", onclick: again }, word(page, "back")),
    ),
  );
}

/** The symbol as a picture that a chat does not blur: several pixels for each module. */
function enlarged(symbol: HTMLCanvasElement): string {
  const scale = 10;
  const large = document.createElement("canvas");
  large.width = symbol.width * scale;
  large.height = symbol.height * scale;
  const context = large.getContext("2d");
  if (context === null) return symbol.toDataURL();
  context.imageSmoothingEnabled = false;
  context.drawImage(symbol, 0, 0, large.width, large.height);
  return large.toDataURL();
}

/** The city's date at an instant, as `YYYY-MM-DD`. */
function localDay(atMs: number): string {
  return new Intl.DateTimeFormat("en-CA", {
    timeZone: "Asia/Shanghai",
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
  }).format(atMs);
}
