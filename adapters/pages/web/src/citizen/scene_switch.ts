/** What the code is for: everything (融合), one scene or one merchant (绑定), or what is chosen now (切换). */

import { element, fill } from "../dom/element.ts";
import { SCENES } from "../verifier/fields.ts";
import type { BoundPlace, Look, SceneMode } from "./look.ts";
import type { Page, View } from "./page.ts";
import { type Language, say } from "./words.ts";

export const ALL_SCENES = Object.keys(SCENES);
const MODES: readonly SceneMode[] = ["fused", "bound", "switched"];
/** What a place of a scene is called where it has no name but its number. */
const PLACE_WORDS = { bus: "lineNamed", community: "doorNamed" } as const;
type PlacedScene = keyof typeof PLACE_WORDS;
const HINTS = { fused: "fusedHint", bound: "boundHint", switched: "switchedHint" } as const;

/**
 * What a link `#at/<scene>/<id>` binds the code to: a line, a door, a terminal, as a sticker there or the
 * app names it; null for what is no such link.
 */
export function boundBy(hash: string): Partial<Look> | null {
  const [, scene = "", named = ""] = /^#at\/([a-z_]+)\/([^/]{1,64})$/.exec(hash) ?? [];
  if (!ALL_SCENES.includes(scene)) return null;
  let id: string;
  try {
    id = decodeURIComponent(named);
  } catch {
    return null;
  }
  const called = (language: Language) =>
    scene in PLACE_WORDS ? say(language, PLACE_WORDS[scene as PlacedScene], { id }) : id;
  const place = { id, nameZh: called("zh-CN"), nameEn: called("en") };
  return { sceneMode: "bound", scene, place };
}

/** The switch on a page of its own, for elder mode. */
export const scenesView: View = {
  title: "scenes",
  back: "more",
  show: (page, body, leaving) => fill(body, sceneSwitch(page, leaving)),
};

/** The scenes the code is for: one fused code for all, or the one that is bound or switched to. */
export function scenesOf(mode: SceneMode, scene: string): readonly string[] {
  return mode === "fused" ? ALL_SCENES : [scene];
}

export function sceneSwitch(page: Page, leaving: AbortSignal): HTMLElement {
  const { sceneMode, scene, place } = page.parts.look();
  const choose = (change: Partial<Look>) => page.parts.change(change);
  const pressable = (text: string, pressed: boolean, onclick: () => void) =>
    element("button", { type: "button", "aria-pressed": String(pressed), onclick }, text);
  const merchants = element("div", {
    class: "chips",
    role: "group",
    "aria-label": page.say("chooseMerchant"),
  });
  if (sceneMode === "bound") {
    const shown = (known: readonly BoundPlace[]) =>
      fill(
        merchants,
        pressable(page.say("anyMerchant"), place === null, () => choose({ place: null })),
        ...known.map((one) =>
          pressable(page.language === "zh-CN" ? one.nameZh : one.nameEn, one.id === place?.id, () =>
            choose({ place: one }),
          ),
        ),
      );
    shown(place === null ? [] : [place]);
    void merchantsOf(page, scene).then((known) => {
      if (leaving.aborted) return;
      const isKnown = place === null || known.some((one) => one.id === place.id);
      shown(isKnown ? known : [place, ...known]);
    });
  }
  return element(
    "section",
    { class: "card scenes", "aria-label": page.say("chooseScene") },
    element(
      "div",
      { class: "segments", role: "group", "aria-label": page.say("scenes") },
      ...MODES.map((mode) =>
        pressable(page.say(mode), mode === sceneMode, () => choose({ sceneMode: mode })),
      ),
    ),
    element("p", { class: "quiet" }, page.say(HINTS[sceneMode])),
    sceneMode !== "fused" &&
      element(
        "div",
        { class: "chips", role: "group", "aria-label": page.say("chooseScene") },
        ...ALL_SCENES.map((one) =>
          pressable(page.name("scene", one), one === scene, () =>
            choose({ scene: one, place: null }),
          ),
        ),
      ),
    sceneMode === "bound" && element("p", { class: "quiet" }, page.say("chooseMerchant")),
    sceneMode === "bound" && merchants,
  );
}

interface Visited {
  readonly scene: string;
  readonly merchant_id: string;
  readonly merchant_name_zh: string;
  readonly merchant_name_en: string;
}

/** Where the person has been of late in a scene; nowhere while there is no network. */
async function merchantsOf(page: Page, scene: string): Promise<readonly BoundPlace[]> {
  const asked = page.read<{ readonly orders: readonly Visited[] }>("/v1/me/orders?limit=100");
  const { orders } = await asked.catch(() => ({ orders: [] }));
  const known = new Map<string, BoundPlace>();
  for (const one of orders) {
    if (one.scene !== scene) continue;
    const { merchant_id: id, merchant_name_zh: nameZh, merchant_name_en: nameEn } = one;
    known.set(id, { id, nameZh, nameEn });
  }
  return [...known.values()].slice(0, 8);
}
