/** Questions of a form: answers to tick, all at once or one at a time. */

import { element, fill } from "../dom/element.ts";

/** In elder mode a form asks one thing at a time: the button leads on until all has been asked. */
export class OneByOne {
  readonly #fields: readonly Element[];
  readonly #button: HTMLButtonElement | null;
  readonly #hint: Element | null;
  readonly #send: string;
  #at = 0;

  constructor(
    form: HTMLFormElement,
    private readonly onward: string,
  ) {
    form.classList.add("asking");
    this.#fields = [...form.querySelectorAll("fieldset")];
    this.#button = form.querySelector("button");
    this.#hint = form.querySelector(".quiet");
    this.#send = this.#button?.textContent ?? "";
    this.#show();
  }

  /** Go on to the next question; false where this was the last. */
  next(): boolean {
    if (this.#at + 1 >= this.#fields.length) return false;
    this.#at += 1;
    this.#show();
    scrollTo(0, 0);
    return true;
  }

  /** Ask this question again. */
  back(at: number): void {
    this.#at = at;
    this.#show();
  }

  #show(): void {
    for (const [at, one] of this.#fields.entries()) one.classList.toggle("now", at === this.#at);
    const isLast = this.#at + 1 >= this.#fields.length;
    if (this.#button !== null) fill(this.#button, isLast ? this.#send : this.onward);
    this.#hint?.toggleAttribute("hidden", !isLast);
  }
}

/** One of several answers, the first chosen where nothing else is said. */
export function choices(
  legend: string,
  name: string,
  options: readonly (readonly [string, string])[],
  chosen = 0,
): HTMLElement {
  return element(
    "fieldset",
    { class: "short" },
    element("legend", {}, legend),
    ...options.map(([value, text], at) => choice("radio", name, value, text, at === chosen)),
  );
}

/** One answer to tick. */
export function choice(
  type: "radio" | "checkbox",
  name: string,
  value: string,
  text: string,
  checked: boolean,
): HTMLElement {
  return element(
    "label",
    { class: "choice" },
    element("input", { type, name, value, checked }),
    text,
  );
}
