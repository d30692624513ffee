/**
 * The host's half of the contract: answers the card's page, and nobody else.
 *
 * A question counts only when it comes from the very frame the host has made and from the card's own
 * origin; the answer goes to that origin alone.
 */

export const CONTRACT = 1;

export interface HostAnswers {
  account(): { readonly account: string; readonly client_id: string } | null;
  /** `fresh`: only once the person has proved who they are. */
  hostCode(fresh: boolean): Promise<string | null>;
  brightness(level: number | null): boolean;
}

type Question = Readonly<Record<string, unknown>>;

/** Answers until `leaving`. */
export function answerPage(
  host: Window,
  page: () => Window | null,
  cardOrigin: string,
  answers: HostAnswers,
  leaving?: AbortSignal,
): void {
  const hear = (event: MessageEvent<unknown>) => {
    const asking = page();
    if (asking === null || event.source !== asking || event.origin !== cardOrigin) return;
    const question = event.data as Question | null;
    if (typeof question !== "object" || question?.["cardcore"] !== CONTRACT) return;
    const id = question["id"];
    void answerTo(question, answers).then((answer) =>
      asking.postMessage({ ...answer, cardcore: CONTRACT, id }, cardOrigin),
    );
  };
  host.addEventListener("message", hear, leaving === undefined ? {} : { signal: leaving });
}

async function answerTo(question: Question, answers: HostAnswers): Promise<object> {
  const level = question["level"];
  switch (question["ask"]) {
    case "account":
      return answers.account() ?? {};
    case "host_code":
      return { host_code: await answers.hostCode(question["fresh"] === true) };
    case "brightness":
      return { done: answers.brightness(typeof level === "number" ? level : null) };
    default:
      return {};
  }
}
