/**
 * Keeps the page working without a network: all that it is made of is stored at installation, under
 * the name of its release, and served from there. Requests to the service go to the network untouched.
 */

declare const SHELL: readonly string[];
declare const RELEASE: string;

/** What this worker uses of its surroundings; the compiler's own types of them exclude those of pages. */
interface Lasting extends Event {
  waitUntil(work: Promise<unknown>): void;
}

interface Fetching extends Event {
  readonly request: Request;
  respondWith(answer: Promise<Response>): void;
}

interface Surroundings {
  readonly clients: { claim(): Promise<void> };
  skipWaiting(): Promise<void>;
  addEventListener(name: "install" | "activate", listener: (event: Lasting) => void): void;
  addEventListener(name: "fetch", listener: (event: Fetching) => void): void;
}

const scope = self as unknown as Surroundings;
const PREFIX = "gate-";

scope.addEventListener("install", (event) => {
  event.waitUntil(install());
});

scope.addEventListener("activate", (event) => {
  event.waitUntil(activate());
});

scope.addEventListener("fetch", (event) => {
  const { pathname } = new URL(event.request.url);
  if (event.request.method !== "GET" || !SHELL.includes(pathname)) return;
  event.respondWith(serve(event.request, pathname));
});

async function install(): Promise<void> {
  const cache = await caches.open(PREFIX + RELEASE);
  // Past the browser's own cache: the page itself has one address in every release.
  await cache.addAll(SHELL.map((address) => new Request(address, { cache: "reload" })));
  await scope.skipWaiting();
}

async function activate(): Promise<void> {
  for (const name of await caches.keys()) {
    if (name.startsWith(PREFIX) && name !== PREFIX + RELEASE) await caches.delete(name);
  }
  await scope.clients.claim();
}

async function serve(request: Request, address: string): Promise<Response> {
  const kept = await caches.match(address, { cacheName: PREFIX + RELEASE });
  return kept ?? fetch(request);
}
