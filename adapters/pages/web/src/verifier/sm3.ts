/** SM3, the national hash (GB/T 32905): WebCrypto has none. */

import { type Bytes, concat } from "./bytes.ts";

const BLOCK_SIZE = 64;
const START = [
  0x7380166f, 0x4914b2b9, 0x172442d7, 0xda8a0600, 0xa96f30bc, 0x163138aa, 0xe38dee4d, 0xb0fb0e4e,
] as const;

/** SM3 digest of `data`, 32 bytes. */
export function sm3(data: Bytes): Bytes {
  const padded = pad(data);
  const view = new DataView(padded.buffer);
  const state = Uint32Array.from(START);
  for (let at = 0; at < padded.length; at += BLOCK_SIZE) compress(state, expand(view, at));
  const digest = new Uint8Array(4 * state.length);
  const out = new DataView(digest.buffer);
  state.forEach((word, place) => {
    out.setUint32(4 * place, word);
  });
  return digest;
}

function pad(data: Bytes): Bytes {
  const zeros = (BLOCK_SIZE + 55 - (data.length % BLOCK_SIZE)) % BLOCK_SIZE;
  const tail = new Uint8Array(1 + zeros + 8);
  tail[0] = 0x80;
  new DataView(tail.buffer).setBigUint64(1 + zeros, 8n * BigInt(data.length));
  return concat(data, tail);
}

function rotate(word: number, bits: number): number {
  const shift = bits % 32;
  return shift === 0 ? word : (word << shift) | (word >>> (32 - shift));
}

function p0(word: number): number {
  return word ^ rotate(word, 9) ^ rotate(word, 17);
}

function p1(word: number): number {
  return word ^ rotate(word, 15) ^ rotate(word, 23);
}

/** The 68 words of a message block. */
function expand(view: DataView, at: number): Int32Array {
  const words = new Int32Array(68);
  const word = (place: number): number => words[place] ?? 0;
  for (let place = 0; place < 16; place += 1) words[place] = view.getInt32(at + 4 * place);
  for (let place = 16; place < 68; place += 1) {
    const mixed = p1(word(place - 16) ^ word(place - 9) ^ rotate(word(place - 3), 15));
    words[place] = mixed ^ rotate(word(place - 13), 7) ^ word(place - 6);
  }
  return words;
}

function compress(state: Uint32Array, words: Int32Array): void {
  let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = state;
  for (let round = 0; round < 64; round += 1) {
    const early = round < 16;
    const constant = rotate(early ? 0x79cc4519 : 0x7a879d8a, round);
    const ss1 = rotate((rotate(a, 12) + e + constant) | 0, 7);
    const ss2 = ss1 ^ rotate(a, 12);
    const word = words[round] ?? 0;
    const ff = early ? a ^ b ^ c : (a & b) | (a & c) | (b & c);
    const gg = early ? e ^ f ^ g : (e & f) | (~e & g);
    const tt1 = (ff + d + ss2 + (word ^ (words[round + 4] ?? 0))) | 0;
    const tt2 = (gg + h + ss1 + word) | 0;
    [d, c, b, a] = [c, rotate(b, 9), a, tt1];
    [h, g, f, e] = [g, rotate(f, 19), e, p0(tt2)];
  }
  [a, b, c, d, e, f, g, h].forEach((word, place) => {
    state[place] = (state[place] ?? 0) ^ word;
  });
}
