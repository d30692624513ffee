import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { deflateSync } from "node:zlib";
import { type Bytes, concat, hex, sha256, utf8, Writer } from "./bytes.ts";
import { compressed } from "./curves.ts";
import { TAG } from "./fields.ts";
import { KeyRing, type KeyUse } from "./key_ring.ts";
import { loadPublicKey } from "./suites.ts";
import { openPackage, type TerminalPackage } from "./terminal_package.ts";

const ISSUER_ID = 14_084;
const KID = 9;
const NOW_S = 1_790_000_000;
const DAY_S = 86_400;
const SUITE = 0x30;
const ES256 = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const ENTRY_COUNT = 9;

interface PartPlan {
  readonly name: string;
  readonly data: Bytes;
  readonly version?: number;
  /** Form and bytes as they travel; absent: the part stays at home. */
  readonly travels?: readonly [form: number, data: Bytes];
}

let pair: CryptoKeyPair;
let ring: KeyRing;
let keysPart: Bytes;

before(async () => {
  pair = await crypto.subtle.generateKey(ES256, true, ["sign", "verify"]);
  const raw = compressed(new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey)));
  ring = ringFor(raw, ["packages"]);
  keysPart = utf8(
    JSON.stringify({
      keys: [
        {
          issuer_id: ISSUER_ID,
          kid: KID,
          algorithm: "es256",
          public_key: hex(raw),
          not_before: "2020-01-01T00:00:00Z",
          not_after: "2040-01-01T00:00:00Z",
          uses: ["packages"],
        },
      ],
    }),
  );
});

function ringFor(raw: Bytes, uses: readonly KeyUse[]): KeyRing {
  const key = loadPublicKey(3, raw);
  const notAfterS = Number.MAX_SAFE_INTEGER;
  return new KeyRing([
    { issuerId: ISSUER_ID, kid: KID, key, notBeforeS: 0, notAfterS, uses: new Set(uses) },
  ]);
}

async function container(version: number, parts: readonly PartPlan[]): Promise<Bytes> {
  const listed = await Promise.all(
    parts.map(async ({ name, data, version: listVersion }) => ({
      name,
      sha256: hex(await sha256(data)),
      size: data.length,
      status: listVersion === undefined ? null : statusHead(listVersion),
    })),
  );
  const manifest = { version, made_at_s: NOW_S, expires_at_s: NOW_S + DAY_S, parts: listed };
  const head = new Writer().u8(0x17).u8(SUITE).u16(ISSUER_ID).u8(KID).done();
  const signed = concat(head, utf8(JSON.stringify(manifest)));
  const message = concat(utf8(TAG.package), signed);
  const signature = new Uint8Array(await crypto.subtle.sign(ES256, pair.privateKey, message));
  const document = concat(signed, signature);
  const writer = new Writer().bytes(utf8("CCPK")).u32(document.length).bytes(document);
  for (const [place, { travels }] of parts.entries()) {
    if (travels === undefined) continue;
    writer.u8(place).u8(travels[0]).u32(travels[1].length).bytes(travels[1]);
  }
  return writer.done();
}

function statusHead(version: number): Readonly<Record<string, number>> {
  return {
    issuer_id: ISSUER_ID,
    version,
    issued_at_s: NOW_S,
    expires_at_s: NOW_S + DAY_S,
    ttl_s: 300,
    entry_count: ENTRY_COUNT,
  };
}

function zlib(data: Bytes): Bytes {
  return new Uint8Array(deflateSync(data));
}

const LIST_1 = Uint8Array.of(0, 0b0100, 0); // index 5 revoked
const LIST_2 = Uint8Array.of(0, 0b0100, 0b10); // and 8 suspended

function wholeParts(): PartPlan[] {
  return [
    { name: "keys", data: keysPart, travels: [0, keysPart] },
    { name: `status-${ISSUER_ID}`, data: LIST_1, version: 1, travels: [0, zlib(LIST_1)] },
  ];
}

async function whole(): Promise<TerminalPackage> {
  return openPackage(await container(1, wholeParts()), ring, NOW_S);
}

/** Version 2: keys stay at home, the list travels as one change (index 8 to suspended). */
async function delta(baseVersion = 1, index = 8): Promise<Bytes> {
  const change = new Writer()
    .u32(baseVersion)
    .u32(1)
    .bytes(zlib(Uint8Array.of(index * 4 + 2)));
  return container(2, [
    { name: "keys", data: keysPart },
    { name: `status-${ISSUER_ID}`, data: LIST_2, version: 2, travels: [1, change.done()] },
  ]);
}

describe("a terminal package", () => {
  it("is believed whole, and a delta on top of it", async () => {
    const held = await whole();
    assert.equal(held.forIssuer(ISSUER_ID)?.status(5), 1);
    assert.equal(held.keys.size, 1);
    const next = await openPackage(await delta(), held.keys, NOW_S, held);
    assert.equal(next.manifest.version, 2);
    assert.deepEqual(
      [5, 8, 9].map((at) => next.forIssuer(ISSUER_ID)?.status(at)),
      [1, 2, 3],
    );
    assert.notEqual(next.etag, held.etag);
  });

  it("is refused when older, expired, on another base, or of another result", async () => {
    const held = await whole();
    const again = await container(1, wholeParts());
    const refused = (data: Bytes, reason: string, nowS = NOW_S, on?: TerminalPackage) =>
      assert.rejects(openPackage(data, ring, nowS, on), { reason });
    await refused(again, "document_older", NOW_S, held);
    await refused(again, "document_expired", NOW_S + DAY_S + 1);
    await refused(await delta(), "document_base_missing");
    await refused(await delta(7), "document_base_missing", NOW_S, held);
    await refused(await delta(1, 7), "document_mismatch", NOW_S, held);
  });

  it("is refused when any byte of it was changed, and at each place where it can be cut", async () => {
    const data = await container(1, wholeParts());
    for (let at = 0; at < data.length; at += 7) {
      const flipped = data.slice();
      flipped[at] = (flipped[at] ?? 0) ^ 0x10;
      await assert.rejects(openPackage(flipped, ring, NOW_S), { name: "DocumentRefusal" });
      await assert.rejects(openPackage(data.slice(0, at), ring, NOW_S), {
        name: "DocumentRefusal",
      });
    }
  });

  it("is refused when its key is not for packages, or when a list holds more than it says", async () => {
    const raw = new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey));
    const other = ringFor(compressed(raw), ["codes"]);
    const data = await container(1, wholeParts());
    await assert.rejects(openPackage(data, other, NOW_S), { reason: "document_forged" });
    const bomb = zlib(new Uint8Array(100_000));
    const [keys] = wholeParts();
    assert.ok(keys);
    const parts = [
      keys,
      { name: `status-${ISSUER_ID}`, data: LIST_1, version: 1, travels: [0, bomb] as const },
    ];
    await assert.rejects(openPackage(await container(1, parts), ring, NOW_S), {
      reason: "document_malformed",
    });
  });
});
