// Class D codes as this page makes them: the bytes of the public vectors, signatures by WebCrypto.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import { decodeText } from "../verifier/presented.ts";
import { endsAtMs, readAuthorisation } from "./authorisation.ts";
import { made, signer, suiteOf } from "./device_key.ts";
import { AuthorisationSpentError, joined, offlineCode, PHONE_OFFLINE } from "./offline_code.ts";

interface Vector {
  readonly text: string;
  readonly expect: string;
}

const VECTORS = path.join(process.cwd(), "../../../docs/vectors/codes.json");
const accepted = (JSON.parse(readFileSync(VECTORS, "utf8")) as { vectors: Vector[] }).vectors
  .filter((one) => one.expect === "accepted")
  .map((one) => ({ text: one.text, bytes: decodeText(one.text) }))
  .filter(({ bytes }) => bytes[0] === 0x12);
const DYNAMIC_SIZE = 11 + 64;

describe("class D", () => {
  it("has vectors to be held against", () => assert.ok(accepted.length > 3));

  it("is made of the very bytes of every accepted vector", async () => {
    for (const { text, bytes } of accepted) {
      const at = bytes.length - DYNAMIC_SIZE;
      const authorisation = readAuthorisation(bytes.slice(0, at));
      const u24 = (from: number) =>
        ((bytes[from] ?? 0) << 16) | ((bytes[from + 1] ?? 0) << 8) | (bytes[from + 2] ?? 0);
      const dynamic = {
        madeAtS: authorisation.authorisedAtS + u24(at),
        counter: u24(at + 3),
        context: bytes.slice(at + 6, at + 10),
        flags: bytes[at + 10] ?? 0,
      };
      const signature = bytes.slice(-64);
      assert.equal(await offlineCode(authorisation, dynamic, async () => signature), text);
    }
  });

  for (const algorithm of ["P-256", "Ed25519"] as const) {
    it(`is signed by a ${algorithm} key that nobody can take out`, async () => {
      const device = await made(crypto.subtle, algorithm);
      assert.equal(device.privateKey.extractable, false);
      await assert.rejects(crypto.subtle.exportKey("pkcs8", device.privateKey));
      const size = algorithm === "P-256" ? 33 : 32;
      assert.equal(device.publicKey.length, size);
      assert.equal(suiteOf(device), algorithm === "P-256" ? "0x13" : "0x11");
      const head = new Uint8Array(32);
      head.set([0x12, Number(suiteOf(device))]);
      new DataView(head.buffer).setUint32(20, 1_000);
      new DataView(head.buffer).setUint16(24, 60);
      head[31] = 30;
      const authorisation = readAuthorisation(joined(head, device.publicKey, new Uint8Array(64)));
      assert.deepEqual(authorisation.deviceKey, device.publicKey);
      assert.equal(endsAtMs(authorisation), (1_000 + 3_600) * 1000);
      let signed = new Uint8Array();
      const text = await offlineCode(
        authorisation,
        { madeAtS: 1_010, counter: 7, flags: PHONE_OFFLINE },
        (message) => {
          signed = message;
          return signer(crypto.subtle, device)(message);
        },
      );
      const bytes = decodeText(text);
      assert.equal(bytes.length, 32 + size + 64 + DYNAMIC_SIZE);
      const how = algorithm === "P-256" ? { name: "ECDSA", hash: "SHA-256" } : { name: "Ed25519" };
      const raw = algorithm === "P-256" ? await uncompressed(device.publicKey) : device.publicKey;
      const key = await crypto.subtle.importKey(
        "raw",
        raw as Uint8Array<ArrayBuffer>,
        algorithm === "P-256" ? { name: "ECDSA", namedCurve: "P-256" } : { name: "Ed25519" },
        true,
        ["verify"],
      );
      assert.ok(await crypto.subtle.verify(how, key, bytes.slice(-64), signed));
    });
  }

  it("is refused outside its authorisation and beyond its counter", async () => {
    const bytes = accepted[0]?.bytes ?? new Uint8Array();
    const authorisation = readAuthorisation(bytes.slice(0, bytes.length - DYNAMIC_SIZE));
    const from = authorisation.authorisedAtS;
    const sign = async () => new Uint8Array(64);
    for (const dynamic of [
      { madeAtS: from - 1, counter: 1, flags: 0 },
      { madeAtS: from + authorisation.validityMin * 60 + 1, counter: 1, flags: 0 },
      { madeAtS: from, counter: 0x1_00_00_00, flags: 0 },
    ]) {
      await assert.rejects(offlineCode(authorisation, dynamic, sign), AuthorisationSpentError);
    }
  });

  it("comes from nothing but an authorisation", () => {
    for (const bytes of [new Uint8Array(0), new Uint8Array(129), new Uint8Array(130).fill(0x12)]) {
      assert.throws(() => readAuthorisation(bytes));
    }
  });
});

/** WebCrypto reads no compressed points everywhere: the y of the curve, by Python-like arithmetic. */
async function uncompressed(point: Uint8Array): Promise<Uint8Array> {
  const p = 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n;
  const b = 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn;
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
  const x = BigInt(`0x${hex(point.slice(1))}`);
  const square = (((x * x * x - 3n * x + b) % p) + p) % p;
  let root = 1n;
  for (let power = square, e = (p + 1n) / 4n; e > 0n; e >>= 1n, power = (power * power) % p) {
    if (e & 1n) root = (root * power) % p;
  }
  const y = (root & 1n) === BigInt((point[0] ?? 0) & 1) ? root : p - root;
  return Uint8Array.from(
    Buffer.from(`04${hex(point.slice(1))}${y.toString(16).padStart(64, "0")}`, "hex"),
  );
}
