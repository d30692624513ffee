/** A screen that stays on and is bright while a code is shown, as far as a web page can do that. */

import type { HostBridge } from "./host_bridge.ts";

/** Keeps the screen on until `leaving`, again each time the page comes back into view. */
export function keepAwake(leaving: AbortSignal): void {
  if (!("wakeLock" in navigator)) return;
  let lock: WakeLockSentinel | null = null;
  const take = async () => {
    if (document.visibilityState !== "visible" || leaving.aborted) return;
    // Refused when the battery is low or by a frame's policy: then the screen dims as usual.
    lock = await navigator.wakeLock.request("screen").catch(() => null);
    if (leaving.aborted) await lock?.release();
  };
  document.addEventListener("visibilitychange", take, { signal: leaving });
  leaving.addEventListener("abort", () => void lock?.release());
  void take();
}

/** Asks the host for full brightness until `leaving`; false where only the person can do it. */
export async function brighten(bridge: HostBridge, leaving: AbortSignal): Promise<boolean> {
  const done = await bridge.brightness(1).catch(() => false);
  if (done)
    leaving.addEventListener("abort", () => void bridge.brightness(null).catch(() => false));
  return done;
}
