/**
 * Elements made in one expression: `element("button", { type: "button", onclick: pay }, "付款")`.
 *
 * Text stays text: nothing here parses HTML, so nothing a server or a citizen wrote can become markup.
 */

export type Child = Node | string | number | null | undefined | false | readonly Child[];

type Properties<Tag extends keyof HTMLElementTagNameMap> = {
  /** Attributes by their names; `true` sets an empty one, `false` and `undefined` none. */
  readonly [name: string]: unknown;
} & Partial<Pick<HTMLElementTagNameMap[Tag], "onclick">>;

/** An element with attributes, listeners (`on…` functions) and children. */
export function element<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  properties: Properties<Tag> = {},
  ...children: Child[]
): HTMLElementTagNameMap[Tag] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === false || value === null) continue;
    if (typeof value === "function") {
      made.addEventListener(name.slice(2), value as EventListener);
    } else {
      made.setAttribute(name, value === true ? "" : String(value));
    }
  }
  append(made, children);
  return made;
}

/** Replaces all that `parent` holds. */
export function fill(parent: Element, ...children: Child[]): void {
  parent.replaceChildren();
  append(parent, children);
}

function append(parent: Element, children: readonly Child[]): void {
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    if (Array.isArray(child)) append(parent, child);
    else if (child instanceof Node) parent.append(child);
    else parent.append(String(child));
  }
}
