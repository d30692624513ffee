/**
 * Base45 as in RFC 9285: bytes as the 45 characters of QR alphanumeric mode.
 *
 * Two bytes become three characters, a last single byte becomes two. Every byte string has exactly
 * one text and only that text decodes, which is what makes the text form of a code canonical.
 */

import type { Bytes } from "./bytes.ts";

const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";
const VALUE_OF = new Map(Array.from(ALPHABET, (letter, value) => [letter, value] as const));

/** The text is not the base45 form of any byte string. */
export class Base45Error extends Error {
  override readonly name = "Base45Error";
}

/** Text of `data`, 3 characters for 2 bytes. */
export function encode45(data: Bytes): string {
  let text = "";
  for (let at = 0; at + 1 < data.length; at += 2) {
    const word = ((data[at] ?? 0) << 8) | (data[at + 1] ?? 0);
    text += letter(word) + letter(word / 45) + letter(word / 2025);
  }
  if (data.length % 2 === 1) {
    const last = data[data.length - 1] ?? 0;
    text += letter(last) + letter(last / 45);
  }
  return text;
}

/** Bytes of `text`. Throws `Base45Error`. */
export function decode45(text: string): Bytes {
  if (text.length % 3 === 1) throw new Base45Error("impossible length");
  const data = new Uint8Array(Math.floor(text.length / 3) * 2 + (text.length % 3 ? 1 : 0));
  let out = 0;
  for (let at = 0; at < text.length; at += 3) {
    if (at + 3 > text.length) {
      data[out] = bounded(value(text, at) + 45 * value(text, at + 1), 0xff);
      break;
    }
    const low = value(text, at) + 45 * value(text, at + 1);
    const word = bounded(low + 2025 * value(text, at + 2), 0xffff);
    data[out] = word >> 8;
    data[out + 1] = word & 0xff;
    out += 2;
  }
  return data;
}

function letter(word: number): string {
  return ALPHABET.charAt(Math.floor(word) % 45);
}

function value(text: string, at: number): number {
  const found = VALUE_OF.get(text.charAt(at));
  if (found === undefined) throw new Base45Error("character outside the alphabet");
  return found;
}

function bounded(word: number, largest: number): number {
  if (word > largest) throw new Base45Error("group above the largest value of its bytes");
  return word;
}
