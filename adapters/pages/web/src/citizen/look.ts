/** How the page looks to this person: language, elder mode, and which scenes the code is for. */

import type { Language } from "./words.ts";

/** 融合: one code for all scenes; 绑定: always the same scene; 切换: chosen each time. */
export type SceneMode = "fused" | "bound" | "switched";

/** The one merchant a bound code is for. */
export interface BoundPlace {
  readonly id: string;
  readonly nameZh: string;
  readonly nameEn: string;
}

export interface Look {
  readonly language: Language;
  readonly elder: boolean;
  readonly sceneMode: SceneMode;
  readonly scene: string;
  /** In bound mode: at this merchant only; null for any of the scene. */
  readonly place: BoundPlace | null;
}

const KEPT_AS = "cardcore.look";

export function readLook(storage: Storage, languages: readonly string[]): Look {
  const first: Look = {
    language: languages[0]?.toLowerCase().startsWith("zh") === false ? "en" : "zh-CN",
    elder: false,
    sceneMode: "fused",
    scene: "bus",
    place: null,
  };
  try {
    const kept = JSON.parse(storage.getItem(KEPT_AS) ?? "{}") as Partial<Look>;
    return { ...first, ...kept };
  } catch {
    return first;
  }
}

export function keepLook(storage: Storage, look: Look): void {
  try {
    storage.setItem(KEPT_AS, JSON.stringify(look));
  } catch {
    // A browser that keeps nothing shows the usual look next time.
  }
}
