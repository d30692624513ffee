/**
 * The phone's clock, corrected by what the server says: terminals refuse codes made by a wrong clock.
 *
 * The offset is measured at each code or authorisation: the server's instant against the middle of the
 * request. Half a round trip is the error, well inside the terminals' 30 s.
 */

export class PhoneClock {
  readonly #phoneMs: () => number;
  #offsetMs = 0;

  constructor(phoneMs: () => number, offsetMs = 0) {
    this.#phoneMs = phoneMs;
    this.#offsetMs = offsetMs;
  }

  /** The corrected instant, Unix milliseconds. */
  nowMs(): number {
    return this.#phoneMs() + this.#offsetMs;
  }

  /** How far the phone is behind the server, milliseconds. */
  get offsetMs(): number {
    return this.#offsetMs;
  }

  /** Learn from an exchange: sent and received by the phone, stamped by the server between. */
  learn(sentMs: number, receivedMs: number, serverMs: number): void {
    this.#offsetMs = Math.round(serverMs - (sentMs + receivedMs) / 2);
  }

  /** What is remembered from an earlier visit. */
  recall(offsetMs: number): void {
    this.#offsetMs = offsetMs;
  }

  phoneMs(): number {
    return this.#phoneMs();
  }
}
