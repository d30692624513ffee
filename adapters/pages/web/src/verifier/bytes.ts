/** Bytes and the few texts they travel in. Integers are big-endian, as everywhere in the formats. */

/** Bytes that WebCrypto takes: never a view of shared memory. */
export type Bytes = Uint8Array<ArrayBuffer>;

const UTF8 = new TextEncoder();
const UTF8_STRICT = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** UTF-8 of `text`. */
export function utf8(text: string): Bytes {
  return UTF8.encode(text);
}

/** Undo `utf8`. Throws `TypeError` where the bytes are no UTF-8. */
export function fromUtf8(data: Bytes): string {
  return UTF8_STRICT.decode(data);
}

/** All parts, one after another. */
export function concat(...parts: readonly Bytes[]): Bytes {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Are these the same bytes? For public data: takes less time the sooner they differ. */
export function sameBytes(left: Bytes, right: Bytes): boolean {
  return left.length === right.length && left.every((byte, place) => byte === right[place]);
}

/** Lower-case hex. */
export function hex(data: Bytes): string {
  let text = "";
  for (const byte of data) text += byte.toString(16).padStart(2, "0");
  return text;
}

/** Undo `hex`. Throws `RangeError` for anything else than pairs of hex digits. */
export function fromHex(text: string): Bytes {
  if (!/^(?:[0-9a-fA-F]{2})*$/.test(text)) throw new RangeError("not hex");
  const data = new Uint8Array(text.length / 2);
  for (let place = 0; place < data.length; place += 1) {
    data[place] = Number.parseInt(text.slice(2 * place, 2 * place + 2), 16);
  }
  return data;
}

/** Base64url without padding (RFC 7515). */
export function base64url(data: Bytes): string {
  let text = "";
  for (const byte of data) text += String.fromCharCode(byte);
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/** Undo `base64url`. Throws `RangeError` for anything else. */
export function fromBase64url(text: string): Bytes {
  if (!/^[A-Za-z0-9_-]*$/.test(text) || text.length % 4 === 1)
    throw new RangeError("not base64url");
  const raw = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(raw, (letter) => letter.charCodeAt(0));
}

/** The unsigned integer in `data`, of any size. */
export function bigInt(data: Bytes): bigint {
  return data.length === 0 ? 0n : BigInt(`0x${hex(data)}`);
}

/** `value` in exactly `size` bytes. */
export function bigIntBytes(value: bigint, size: number): Bytes {
  return fromHex(value.toString(16).padStart(2 * size, "0"));
}

/** SHA-256 by WebCrypto. */
export async function sha256(data: Bytes): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", data));
}

/** Takes fields off the front of bytes. Reading past the end throws `RangeError`. */
export class Reader {
  readonly #data: Bytes;
  readonly #view: DataView;
  #at = 0;

  constructor(data: Bytes) {
    this.#data = data;
    this.#view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  }

  /** Bytes read so far. */
  get at(): number {
    return this.#at;
  }

  /** Bytes not read yet. */
  get left(): number {
    return this.#data.length - this.#at;
  }

  u8(): number {
    return this.#view.getUint8(this.#step(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#step(2));
  }

  u24(): number {
    return (this.u8() << 16) | this.u16();
  }

  u32(): number {
    return this.#view.getUint32(this.#step(4));
  }

  u64(): bigint {
    return this.#view.getBigUint64(this.#step(8));
  }

  /** The next `size` bytes, copied. */
  bytes(size: number): Bytes {
    const at = this.#step(size);
    return this.#data.slice(at, at + size);
  }

  #step(size: number): number {
    const at = this.#at;
    if (at + size > this.#data.length) throw new RangeError("cut off");
    this.#at += size;
    return at;
  }
}

/** Puts fields one after another. */
export class Writer {
  readonly #parts: Bytes[] = [];

  u8(value: number): this {
    return this.bytes(Uint8Array.of(value));
  }

  u16(value: number): this {
    return this.#number(2, (view) => view.setUint16(0, value));
  }

  u32(value: number): this {
    return this.#number(4, (view) => view.setUint32(0, value));
  }

  u64(value: bigint): this {
    return this.#number(8, (view) => view.setBigUint64(0, value));
  }

  bytes(data: Bytes): this {
    this.#parts.push(data);
    return this;
  }

  /** All that was put. */
  done(): Bytes {
    return concat(...this.#parts);
  }

  #number(size: number, set: (view: DataView) => void): this {
    const data = new Uint8Array(size);
    set(new DataView(data.buffer));
    return this.bytes(data);
  }
}
