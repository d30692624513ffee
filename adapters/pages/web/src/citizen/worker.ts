/**
 * The page without a network: its own files from a cache, named by the release they belong to.
 *
 * Nothing of `/v1` is ever kept: a code or a balance of before would be a lie.
 */

export {};

declare const SHELL: readonly string[];
declare const RELEASE: string;

interface Extended extends Event {
  waitUntil(work: Promise<unknown>): void;
}
interface Fetching extends Extended {
  readonly request: Request;
  respondWith(answer: Promise<Response>): void;
}

const worker = self as unknown as {
  readonly caches: CacheStorage;
  skipWaiting(): Promise<void>;
  readonly clients: { claim(): Promise<void> };
  addEventListener(name: string, act: (event: never) => void): void;
  readonly location: Location;
};
const PREFIX = "citizen-";
const CACHE = PREFIX + RELEASE;
const EMBEDDING = "/citizen/embedding.json";

worker.addEventListener("install", (event: Extended) => {
  const filled = worker.caches
    .open(CACHE)
    .then((cache) => cache.addAll([...SHELL, EMBEDDING]))
    .then(() => worker.skipWaiting());
  event.waitUntil(filled);
});

worker.addEventListener("activate", (event: Extended) => {
  const swept = worker.caches
    .keys()
    .then((names) => names.filter((name) => name.startsWith(PREFIX) && name !== CACHE))
    .then((old) => Promise.all(old.map((name) => worker.caches.delete(name))))
    .then(() => worker.clients.claim());
  event.waitUntil(swept);
});

worker.addEventListener("fetch", (event: Fetching) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== "GET" || origin !== worker.location.origin) return;
  if (pathname === EMBEDDING) event.respondWith(fresh(request));
  else if (SHELL.includes(pathname)) event.respondWith(kept(request, pathname));
});

/** From the cache, else from the network (a browser may have thrown the cache away). */
async function kept(request: Request, pathname: string): Promise<Response> {
  const found = await (await worker.caches.open(CACHE)).match(pathname);
  return found ?? fetch(request);
}

/** From the network, else what was kept of it last. */
async function fresh(request: Request): Promise<Response> {
  const cache = await worker.caches.open(CACHE);
  try {
    const answer = await fetch(request);
    if (answer.ok) await cache.put(EMBEDDING, answer.clone());
    return answer;
  } catch {
    return (await cache.match(EMBEDDING)) ?? Response.error();
  }
}
