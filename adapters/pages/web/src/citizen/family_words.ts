/** What the family's views say, in both languages. */

const WORDS = {
  pay: ["我来为家人付款", "I pay for somebody"],
  ask: ["请家人为我付款", "Ask somebody to pay for me"],
  join: ["输入家人给我的邀请码", "Enter a code I was given"],
  who: ["你们的关系", "Who you are to each other"],
  guardian: ["父母与孩子", "Parent and child"],
  agent: ["子女与长辈", "Grown child and elder"],
  where: ["可用于", "Where"],
  order: ["每笔最多", "At most each time"],
  day: ["每天最多", "At most a day"],
  until: ["有效期", "For how long"],
  days30: ["1 个月", "a month"],
  days182: ["半年", "half a year"],
  days365: ["1 年", "a year"],
  send: ["验证本人并生成邀请码", "Verify me and make the code"],
  sendHint: [
    "生成前，应用会请您验证密码、指纹或人脸。",
    "Your app asks for your PIN, fingerprint or face first.",
  ],
  dayTooSmall: ["每天的上限不能低于每笔的上限", "The day's limit cannot be below one payment's"],
  noScene: ["请至少选择一个用途", "Choose at least one"],
  made: ["邀请码", "Your invitation code"],
  tell: [
    "请只告诉这位家人：24 小时内有效，只能用一次。对方接受后立即生效，双方都可随时解除。",
    "Tell it to this person alone: good once, for 24 hours. It begins when they accept; either of you can end it.",
  ],
  copy: ["复制邀请码", "Copy the code"],
  copied: ["已复制", "Copied"],
  back: ["完成", "Done"],
  code: ["邀请码（12 位）", "Invitation code (12 characters)"],
  look: ["查看邀请", "See the invitation"],
  offers: ["{name} 愿意为您付款", "{name} offers to pay for you"],
  asks: ["{name} 请您为其付款", "{name} asks you to pay for them"],
  somebody: ["有人", "Somebody"],
  accept: ["同意", "I agree"],
  acceptHint: [
    "同意前，应用会请您验证本人。请确认认识对方。",
    "Your app verifies you first. Be sure that you know this person.",
  ],
  refuse: ["不同意", "I do not agree"],
  open: ["等待对方接受", "Waiting for an answer"],
  withdraw: ["撤回邀请", "Withdraw"],
  withdrawAsk: ["确定撤回这份邀请吗？", "Withdraw this invitation?"],
  expiresAt: ["{date} 前有效", "Good until {date}"],
  perMonth: ["每月 {amount}", "{amount} a month"],
} as const satisfies Readonly<Record<string, readonly [string, string]>>;

export type FamilyWord = keyof typeof WORDS;

/** A word of the views; `{name}` is filled in. */
export function told(
  language: "zh-CN" | "en",
  word: FamilyWord,
  filled: Readonly<Record<string, string>> = {},
): string {
  const text: string = WORDS[word][language === "zh-CN" ? 0 : 1];
  return text.replace(/\{(\w+)\}/g, (_, name: string) => filled[name] ?? "");
}
