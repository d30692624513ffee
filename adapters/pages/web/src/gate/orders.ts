/** Asking the server about one code, as an order: a passage through a door, or a sale at a counter. */

import { asObject, asText, JsonShapeError } from "../verifier/json.ts";
import type { Station } from "./enrolment.ts";
import { idText, newId } from "./identifiers.ts";
import { ServerAwayError, ServerRefusedError, type TerminalServer } from "./server.ts";

/** The server's answer; `reason` null means that the order is booked. */
export interface OnlineAnswer {
  readonly reason: string | null;
  /** Did the server answer at all? */
  readonly answered: boolean;
}

/** Place the order of one scan. Sent once: the same code is the same order however it comes again. */
export async function askServer(
  server: TerminalServer,
  station: Station,
  text: string,
  amountFen: number,
  atMs: number,
): Promise<OnlineAnswer> {
  const key = idText(newId(atMs));
  try {
    const view = asObject(await server.order(orderOf(station, text, amountFen, atMs, key), key));
    asText(view["order_id"]);
    return { reason: null, answered: true };
  } catch (error) {
    if (error instanceof ServerRefusedError) return { reason: reasonOf(error), answered: true };
    if (error instanceof ServerAwayError || error instanceof JsonShapeError) {
      return { reason: "server_away", answered: false };
    }
    throw error;
  }
}

/** Why a door stays shut stands among the facts. */
function reasonOf(error: ServerRefusedError): string {
  const told = error.facts["reason"];
  return error.reason === "access_refused" && typeof told === "string" ? told : error.reason;
}

function orderOf(
  { enrolment, place, pays }: Station,
  text: string,
  amountFen: number,
  atMs: number,
  key: string,
): unknown {
  const passage = { door: place.gateId || enrolment.terminalId, direction: "in" };
  return {
    user: { credential: text },
    mode: pays ? "pay" : "record",
    business: {
      scene: enrolment.scene,
      type: pays ? "sale" : "passage",
      merchant_id: enrolment.merchantId,
      terminal_id: enrolment.terminalId,
      out_trade_no: key,
      ...(pays ? { amount_fen: amountFen, currency: "CNY" } : {}),
      occurred_at: new Date(atMs).toISOString(),
      details: pays ? {} : passage,
    },
  };
}
