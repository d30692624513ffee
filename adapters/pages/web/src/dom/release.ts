/**
 * The release of a page that stands open: a new one is fetched by the service worker and put in force by
 * opening the page again, as soon as nothing is under way in it.
 *
 * Without this a page would show the release before once more after each change, and one that is never
 * closed, such as a gate's, would show it for ever.
 */

const ASK_EVERY_MS = 3_600_000;
const LOOK_EVERY_MS = 1_000;
/** While servers of two releases answer by turns a page would otherwise open again and again. */
const REOPENED_MIN_MS = 60_000;
const REOPENED = "cardcore.reopened";

/**
 * Register the service worker at `address` and follow the releases it brings.
 *
 * `mayReopen`: is nothing under way that opening the page again would take from the person?
 */
export async function followReleases(
  address: string,
  mayReopen: () => boolean | Promise<boolean>,
): Promise<void> {
  if (!("serviceWorker" in navigator)) return;
  const { serviceWorker } = navigator;
  // The first worker of all comes with the release that is shown.
  let isNewer = serviceWorker.controller !== null;
  serviceWorker.addEventListener("controllerchange", () => {
    if (isNewer) void reopen(mayReopen);
    isNewer = true;
  });
  const registration = await serviceWorker.register(address);
  // In vain without a network, which is no fault.
  setInterval(() => void registration.update().catch(() => undefined), ASK_EVERY_MS);
}

async function reopen(mayReopen: () => boolean | Promise<boolean>): Promise<void> {
  if (Date.now() - Number(sessionStorage.getItem(REOPENED) ?? 0) < REOPENED_MIN_MS) return;
  while (!(await mayReopen())) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
  sessionStorage.setItem(REOPENED, String(Date.now()));
  location.reload();
}
