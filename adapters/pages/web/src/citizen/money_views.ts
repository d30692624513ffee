/** Funds, orders, one order with every fen, disputes. */

import { type Child, element } from "../dom/element.ts";
import { icon } from "../dom/icon.ts";
import { SCENE_DRAWINGS } from "./drawings.ts";
import { acted, badge, list, loaded, type Page, pairs, type View, yuan } from "./page.ts";
import type { Fund, Me } from "./session.ts";
import { NAMES } from "./words.ts";

interface Line {
  readonly payer: string;
  readonly fund: string | null;
  readonly amount_fen: number;
  readonly rule_version: string;
  readonly reason_zh: string;
  readonly reason_en: string;
}

interface Order {
  readonly order_id: string;
  readonly status: string;
  readonly scene: string;
  readonly merchant_id: string;
  readonly merchant_name_zh: string;
  readonly merchant_name_en: string;
  readonly out_trade_no: string;
  readonly nominal_fen: number;
  readonly citizen_fen: number;
  readonly refunded_fen: number;
  readonly occurred_at: string;
}

interface Orders {
  readonly orders: readonly Order[];
  readonly next_before: string | null;
}

interface Explained {
  readonly lines: readonly Line[];
  readonly refunds: readonly { readonly out_refund_no: string; readonly amount_fen: number }[];
}

interface Dispute {
  readonly dispute_id: string;
  readonly order_id: string;
  readonly reason: string;
  readonly amount_fen: number;
  readonly status: string;
  readonly opened_at: string;
  readonly decide_by: string;
}

export const fundsView: View = {
  title: "funds",
  show: (page, body, leaving) =>
    loaded(
      page,
      body,
      leaving,
      () => page.read<Me>("/v1/me"),
      (me) =>
        list(
          me.funds.map((fund) => fundCard(page, fund)),
          page.say("noFunds"),
        ),
    ),
};

function fundCard(page: Page, fund: Fund): Child {
  return element(
    "section",
    { class: "card fund" },
    element("h2", {}, page.name("fund", fund.fund)),
    element("p", { class: "amount" }, yuan(fund.available_fen)),
    element("p", { class: "quiet" }, page.say("balance")),
    (fund.held_fen > 0 || fund.credit_limit_fen > 0 || fund.valid_to !== null) &&
      pairs(
        fund.held_fen > 0 && [page.say("held"), yuan(fund.held_fen)],
        fund.credit_limit_fen > 0 && [page.say("creditLimit"), yuan(fund.credit_limit_fen)],
        fund.valid_to !== null && ["", page.say("validTo", { date: fund.valid_to })],
      ),
  );
}

export const ordersView: View = {
  title: "orders",
  show: (page, body, leaving) => {
    const entries: Child[] = [];
    const more = (before: string | null): Promise<void> =>
      loaded(
        page,
        body,
        leaving,
        () => page.read<Orders>(`/v1/me/orders?limit=20${before ? `&before=${before}` : ""}`),
        (reply) => {
          entries.push(...reply.orders.map((order) => orderEntry(page, order)));
          const next = reply.next_before;
          return [
            list(entries, page.say("noOrders")),
            next !== null &&
              element(
                "button",
                { type: "button", class: "wide", onclick: () => void more(next) },
                page.say("loadMore"),
              ),
          ];
        },
      );
    return more(null);
  },
};

function merchantOf(page: Page, order: Order): string {
  return page.language === "zh-CN" ? order.merchant_name_zh : order.merchant_name_en;
}

function orderEntry(page: Page, order: Order): Child {
  return element(
    "a",
    { class: "card entry", href: `#order/${order.order_id}` },
    icon(SCENE_DRAWINGS[order.scene]),
    element("span", { class: "what" }, merchantOf(page, order)),
    element("span", { class: "amount" }, yuan(order.citizen_fen)),
    element(
      "span",
      { class: "quiet" },
      page.name("scene", order.scene),
      " · ",
      page.instant(order.occurred_at),
    ),
    badge(page.name("order", order.status), order.status === "captured" ? "good" : "plain"),
  );
}

export function orderView(orderId: string): View {
  const path = `/v1/me/orders/${encodeURIComponent(orderId)}`;
  return {
    title: "orderDetail",
    back: "orders",
    show: (page, body, leaving) =>
      loaded(
        page,
        body,
        leaving,
        () => Promise.all([page.read<Order>(path), page.read<Explained>(`${path}/explain`)]),
        ([order, explained]) => [
          summary(page, order),
          element(
            "section",
            { class: "card" },
            element("h2", {}, page.say("explain")),
            ...explained.lines.map((line) => explainedLine(page, line)),
          ),
          explained.refunds.length > 0 &&
            element(
              "section",
              { class: "card" },
              element("h2", {}, page.say("refundsDone")),
              pairs(
                ...explained.refunds.map(
                  (one) => [one.out_refund_no, yuan(one.amount_fen)] as const,
                ),
              ),
            ),
          order.citizen_fen > order.refunded_fen &&
            element(
              "a",
              { class: "button wide", href: `#dispute/${orderId}` },
              page.say("dispute"),
            ),
        ],
      ),
  };
}

function summary(page: Page, order: Order): Child {
  return element(
    "section",
    { class: "card" },
    element(
      "div",
      { class: "heading" },
      element("p", { class: "amount" }, yuan(order.citizen_fen)),
      badge(page.name("order", order.status), order.status === "captured" ? "good" : "plain"),
    ),
    pairs(
      [page.say("nominal"), yuan(order.nominal_fen)],
      order.refunded_fen > 0 && [page.say("refunded"), yuan(order.refunded_fen)],
      [page.say("placed"), page.instant(order.occurred_at)],
      [page.say("merchant"), merchantOf(page, order)],
      [page.say("orderNo"), order.out_trade_no],
    ),
  );
}

function explainedLine(page: Page, line: Line): Child {
  const fund = line.fund === null ? "" : ` · ${page.name("fund", line.fund)}`;
  return element(
    "div",
    { class: "line" },
    element("p", { class: "what" }, `${page.name("payer", line.payer)}${fund}`),
    element("p", { class: "amount" }, yuan(line.amount_fen)),
    element("p", {}, page.language === "zh-CN" ? line.reason_zh : line.reason_en),
    element("p", { class: "quiet" }, page.say("rule", { version: line.rule_version })),
  );
}

export function disputeView(orderId: string): View {
  return {
    title: "dispute",
    back: `order/${orderId}`,
    show: (page, body) => {
      const choices = Object.keys(NAMES.reason).map((reason, at) =>
        element(
          "label",
          { class: "choice" },
          element("input", { type: "radio", name: "reason", value: reason, checked: at === 0 }),
          page.name("reason", reason),
        ),
      );
      const told = element("p", { role: "status" });
      const form = element(
        "form",
        { class: "card" },
        element("fieldset", {}, element("legend", {}, page.say("disputeReason")), ...choices),
        element("button", { class: "primary wide" }, page.say("disputeSend")),
        told,
      );
      form.addEventListener("submit", (event) => {
        event.preventDefault();
        const reason = new FormData(form).get("reason");
        page.act(`/v1/me/orders/${encodeURIComponent(orderId)}/disputes`, { reason }).then(
          () => {
            location.hash = "#disputes";
          },
          (fault: unknown) => told.replaceChildren(page.fault(fault, () => form.requestSubmit())),
        );
      });
      body.replaceChildren(form);
    },
  };
}

export const disputesView: View = {
  title: "disputes",
  back: "more",
  show: (page, body, leaving) => {
    const again = () => disputesView.show(page, body, leaving);
    return loaded(
      page,
      body,
      leaving,
      () => page.read<{ readonly disputes: readonly Dispute[] }>("/v1/me/disputes"),
      ({ disputes }) =>
        list(
          disputes.map((one) => disputeCard(page, body, one, again)),
          page.say("noDisputes"),
        ),
    );
  },
};

function disputeCard(page: Page, body: HTMLElement, one: Dispute, again: () => void): Child {
  const open = one.status === "open" || one.status === "contested";
  const withdraw = () =>
    void acted(page, body, `/v1/me/disputes/${one.dispute_id}/withdrawal`, again);
  return element(
    "section",
    { class: "card" },
    element("h2", {}, page.name("reason", one.reason)),
    element("p", { class: "amount" }, yuan(one.amount_fen)),
    badge(page.name("dispute", one.status), open ? "warn" : "plain"),
    pairs(
      [page.say("placed"), page.instant(one.opened_at)],
      open && ["", page.say("disputeBy", { date: page.instant(one.decide_by) })],
    ),
    element("a", { class: "button", href: `#order/${one.order_id}` }, page.say("orderDetail")),
    open &&
      element("button", { type: "button", class: "wide", onclick: withdraw }, page.say("withdraw")),
  );
}
