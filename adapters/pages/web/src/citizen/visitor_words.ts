/** What the visitors' view says, in both languages. */

const WORDS = {
  give: ["邀请访客", "Let a visitor in"],
  purpose: ["来访事由", "What the visit is for"],
  doors: ["可通行的门", "Doors"],
  from: ["开始日期", "First day"],
  to: ["结束日期（最多 7 天）", "Last day (7 days at most)"],
  hours: ["限定时段（可不填）", "Only between (may be left out)"],
  starts: ["从", "From"],
  ends: ["到", "To"],
  uses: ["可进门次数", "How often the door opens"],
  send: ["生成通行证", "Make the pass"],
  noDoors: ["您名下没有可邀请访客的门", "No door here lets you invite visitors"],
  made: ["访客通行证已生成", "The pass is ready"],
  once: ["只显示这一次，请保存后发给访客", "Shown this once: save it and send it to your visitor"],
  qr: ["访客通行证二维码", "QR code of the visitor pass"],
  save: ["保存图片", "Save the picture"],
  back: ["返回列表", "Back to the list"],
  none: ["还没有发过通行证", "No passes yet"],
  used: ["已用 {used} / {max} 次", "Used {used} of {max}"],
  end: ["作废", "End it"],
  endAsk: ["确定作废这张通行证吗？", "End this pass?"],
  ended: ["已作废", "Ended"],
  good: ["有效", "Good"],
  guest: ["做客", "Guest"],
  repair: ["维修", "Repair"],
  delivery: ["送货", "Delivery"],
  care: ["照护", "Care"],
  other: ["其他", "Other"],
} as const satisfies Readonly<Record<string, readonly [string, string]>>;

export type VisitorWord = keyof typeof WORDS;
export const PURPOSES = ["guest", "repair", "delivery", "care", "other"] as const;
export type Purpose = (typeof PURPOSES)[number];

/** A word of the view; `{name}` is filled in. */
export function told(
  language: "zh-CN" | "en",
  word: VisitorWord,
  filled: Readonly<Record<string, number>> = {},
): string {
  const text: string = WORDS[word][language === "zh-CN" ? 0 : 1];
  return text.replace(/\{(\w+)\}/g, (_, name: string) => String(filled[name] ?? ""));
}
