/**
 * The terminal's own key: made by WebCrypto, not extractable, kept in IndexedDB. One key, two duties:
 * it signs the records and the proofs for access tokens. P-256, which every browser has.
 */

import { type Bytes, base64url, utf8 } from "../verifier/bytes.ts";
import { ALGORITHM } from "../verifier/suites.ts";

const ES256 = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const ASSERTION_LIFE_S = 120;

/** What records say of the key. */
export const TERMINAL_ALGORITHM = ALGORITHM.es256;

/** A new key whose private half can never leave the browser. */
export function makeTerminalKey(): Promise<CryptoKeyPair> {
  return crypto.subtle.generateKey(ES256, false, ["sign", "verify"]);
}

/** Raw 64 bytes over `message`. */
export async function signWith(pair: CryptoKeyPair, message: Bytes): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.sign(ES256, pair.privateKey, message));
}

/** The public JSON Web Key. */
export async function publicJwk(pair: CryptoKeyPair): Promise<Readonly<Record<string, string>>> {
  const { x = "", y = "" } = await crypto.subtle.exportKey("jwk", pair.publicKey);
  return { kty: "EC", crv: "P-256", x, y };
}

/** The proof for an access token (`private_key_jwt`, RFC 7523), good once and for two minutes. */
export async function clientAssertion(
  pair: CryptoKeyPair,
  clientId: string,
  audience: string,
  nowS: number,
): Promise<string> {
  const claims = {
    iss: clientId,
    sub: clientId,
    aud: audience,
    iat: nowS,
    exp: nowS + ASSERTION_LIFE_S,
    jti: crypto.randomUUID(),
  };
  const parts = [{ alg: "ES256", typ: "JWT" }, claims];
  const signed = parts.map((part) => base64url(utf8(JSON.stringify(part)))).join(".");
  return `${signed}.${base64url(await signWith(pair, utf8(signed)))}`;
}
