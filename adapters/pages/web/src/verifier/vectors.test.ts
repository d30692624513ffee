// Every public vector of docs/vectors that an offline gate meets, judged by the TypeScript verifier.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import { type Circumstances, verify } from "./acceptance.ts";
import { encode45 } from "./base45.ts";
import { base64url, fromBase64url, fromHex } from "./bytes.ts";
import { KeyRing } from "./key_ring.ts";
import { makePolicy } from "./policy.ts";
import { decodeText, present, TEXT_PREFIX } from "./presented.ts";
import { CodeRefusal } from "./refusal.ts";
import { STATUS, type Status, StatusLists, type StatusSource } from "./status_list.ts";
import { loadPublicKey, type PublicKey } from "./suites.ts";
import { readRecord, unsignedBytes, verifyRecord } from "./validator_record.ts";
import { AuthorisationCache, MemoryOfflineUses, MemoryReplayGuard } from "./verifier_memory.ts";

interface CodeVector {
  readonly id: number;
  readonly note: string;
  readonly text: string;
  readonly now_s: number;
  readonly amount_fen: number;
  readonly presented_before: readonly string[];
  readonly expect: string;
  readonly status: {
    readonly issued_at_s: number;
    readonly expires_at_s: number;
    readonly statuses: Readonly<Record<string, Status>>;
  } | null;
  readonly policy: {
    readonly scope: number;
    readonly needs: number;
    readonly domain: number;
    readonly place_ids: readonly string[];
    readonly context_required: boolean;
    readonly user_verified_required: boolean;
    readonly online: boolean;
    readonly skew_s: number;
    readonly list_age_max_s: number;
    readonly stale_cap_fen: number | null;
  };
}

interface RecordVector {
  readonly algorithm: number;
  readonly public_key: string;
  readonly record: string;
  readonly valid: boolean;
}

interface ListVector {
  readonly algorithm: number;
  readonly public_key: string;
  readonly full: string;
  readonly delta: string;
  readonly statuses: Readonly<Record<string, Status>>;
  readonly statuses_after: Readonly<Record<string, Status>>;
}

function document<Shape>(name: string): Shape {
  const folder = path.resolve(process.cwd(), "../../../docs/vectors");
  return JSON.parse(readFileSync(path.join(folder, name), "utf8")) as Shape;
}

interface CodeFile {
  readonly key_ring: { readonly keys: readonly { readonly kid: number }[] };
  readonly vectors: readonly CodeVector[];
}

const P256_BASE_POINT = "036b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296";
const codes = document<CodeFile>("codes.json");

function listOf(status: CodeVector["status"]): StatusSource | null {
  if (status === null) return null;
  const { issued_at_s: issuedAtS, expires_at_s: expiresAtS, statuses } = status;
  const read = (index: number): Status => statuses[String(index)] ?? STATUS.valid;
  return { forIssuer: () => ({ issuedAtS, expiresAtS, status: read }) };
}

async function circumstances(vector: CodeVector): Promise<Circumstances> {
  const { policy } = vector;
  return {
    keys: KeyRing.fromJson(JSON.stringify(codes.key_ring)),
    statusLists: listOf(vector.status),
    policy: await makePolicy({
      scope: policy.scope,
      needs: policy.needs,
      domain: policy.domain,
      placeIds: policy.place_ids,
      contextRequired: policy.context_required,
      userVerifiedRequired: policy.user_verified_required,
      online: policy.online,
      skewS: policy.skew_s,
      listAgeMaxS: policy.list_age_max_s,
      staleCapFen: policy.stale_cap_fen,
    }),
    nowS: vector.now_s,
    amountFen: vector.amount_fen,
    replay: new MemoryReplayGuard(),
    offlineUses: new MemoryOfflineUses(),
    authorisations: new AuthorisationCache(),
  };
}

async function verdict(text: string, given: Circumstances): Promise<string> {
  try {
    await verify(text, given);
    return "accepted";
  } catch (error) {
    if (error instanceof CodeRefusal) return error.reason;
    throw error;
  }
}

describe("docs/vectors/codes.json", () => {
  for (const vector of codes.vectors) {
    it(`${vector.id} ${vector.note}: ${vector.expect}`, async () => {
      const given = await circumstances(vector);
      for (const earlier of vector.presented_before) await verify(earlier, given);
      const found = await verdict(vector.text, given);
      if (vector.expect === "refused") assert.notEqual(found, "accepted");
      else assert.equal(found, vector.expect);
    });
  }

  it("one code has one text: every accepted text is made anew from its bytes", () => {
    const accepted = codes.vectors.filter((vector) => vector.expect === "accepted");
    assert.ok(accepted.length > 20);
    for (const { text } of accepted) {
      const data = decodeText(text);
      assert.equal(TEXT_PREFIX + encode45(data), text);
      assert.equal(present(data).token.length, 8);
      assert.deepEqual(fromBase64url(base64url(data)), data);
    }
  });

  it("an authorisation remembered under one key is not believed under another", async () => {
    const vector = codes.vectors.find(
      (one) => one.expect === "accepted" && present(decodeText(one.text)).suite === 0x33,
    );
    assert.ok(vector);
    const given = { ...(await circumstances(vector)), replay: null };
    await verify(vector.text, given);
    const foreign = codes.key_ring.keys
      .filter((key) => key.kid === present(decodeText(vector.text)).kid)
      .map((key) => ({ ...key, public_key: P256_BASE_POINT }));
    const keys = KeyRing.fromJson(JSON.stringify({ keys: foreign }));
    assert.equal(await verdict(vector.text, { ...given, keys }), "code_invalid");
  });
});

describe("docs/vectors/records.json", () => {
  const { records } = document<{ records: readonly RecordVector[] }>("records.json");
  for (const [place, vector] of records.entries()) {
    it(`${place}: ${vector.valid}`, async () => {
      const data = fromHex(vector.record);
      const judged = judge(data, loadPublicKey(vector.algorithm, fromHex(vector.public_key)));
      assert.equal(await judged, vector.valid);
      if (!vector.valid) return;
      // What was read is written as the same bytes.
      assert.deepEqual(unsignedBytes(readRecord(data)), data.slice(0, -64));
    });
  }
});

async function judge(data: Uint8Array<ArrayBuffer>, key: PublicKey): Promise<boolean> {
  try {
    await verifyRecord(data, key);
    return true;
  } catch {
    return false;
  }
}

describe("docs/vectors/status_lists.json", () => {
  const { lists } = document<{ lists: readonly ListVector[] }>("status_lists.json");
  for (const [place, vector] of lists.entries()) {
    it(`${place}: a list and its delta say what the vector says`, async () => {
      const [full, delta] = [fromHex(vector.full), fromHex(vector.delta)];
      const ring = ringOf(vector, full);
      const nowS = new DataView(full.buffer).getUint32(10);
      const held = new StatusLists();
      const list = await held.apply(full, ring, nowS);
      assert.deepEqual(
        statuses(list.head.entryCount, (at) => list.status(at)),
        vector.statuses,
      );
      const after = await held.apply(delta, ring, nowS);
      const found = statuses(after.head.entryCount, (at) => after.status(at));
      assert.deepEqual(found, vector.statuses_after);
      assert.equal(after.status(after.head.entryCount), STATUS.askOnline);
      await assert.rejects(held.apply(full, ring, nowS), { reason: "document_older" });
      assert.equal(held.forIssuer(after.head.issuerId), after);
    });

    it(`${place}: a list that was changed, cut or is delta to another is refused`, async () => {
      const [full, delta] = [fromHex(vector.full), fromHex(vector.delta)];
      const ring = ringOf(vector, full);
      const nowS = new DataView(full.buffer).getUint32(10);
      const held = new StatusLists();
      const flipped = full.slice();
      flipped[30] = (flipped[30] ?? 0) ^ 1;
      await assert.rejects(held.apply(flipped, ring, nowS), { reason: "document_forged" });
      await assert.rejects(held.apply(full.slice(0, 60), ring, nowS), {
        reason: "document_malformed",
      });
      await assert.rejects(held.apply(delta, ring, nowS), { reason: "document_base_missing" });
      const muchLater = nowS + 10 * 86_400;
      await assert.rejects(held.apply(full, ring, muchLater), { reason: "document_expired" });
    });
  }
});

function ringOf(vector: ListVector, list: Uint8Array<ArrayBuffer>): KeyRing {
  const view = new DataView(list.buffer);
  return new KeyRing([
    {
      issuerId: view.getUint16(2),
      kid: view.getUint8(4),
      key: loadPublicKey(vector.algorithm, fromHex(vector.public_key)),
      notBeforeS: 0,
      notAfterS: Number.MAX_SAFE_INTEGER,
      uses: new Set(["lists"]),
    },
  ]);
}

function statuses(count: number, read: (index: number) => Status): Record<string, Status> {
  const found: Record<string, Status> = {};
  for (let index = 0; index < count; index += 1) {
    if (read(index) !== STATUS.valid) found[String(index)] = read(index);
  }
  return found;
}
