/** What the view of guidance says, in both languages. */

const WORDS = {
  text: ["哪里不舒服？用自己的话写", "What troubles you? In your own words"],
  hint: ["例如：咳嗽有痰一个多星期了", "Best in Chinese, e.g. 咳嗽有痰一个多星期了"],
  age: ["年龄", "Age"],
  years: ["岁", "years"],
  months: ["个月", "months"],
  days: ["天", "days"],
  sex: ["性别", "Sex"],
  unsaid: ["不说", "Not said"],
  f: ["女", "Female"],
  m: ["男", "Male"],
  pregnant: ["怀孕", "Pregnant"],
  send: ["查看去哪个科", "Where do I go?"],
  next: ["下一步", "Next"],
  kept: ["您写的内容不会被保存", "What you write is kept nowhere"],
  empty: ["请先写哪里不舒服", "Please say what troubles you"],
  wrongAge: ["请检查年龄", "Please check the age"],
  call: ["拨打120", "Call 120"],
  because: ["依据您说的：{words}", "Because you said: {words}"],
  noClinics: ["近日没有可预约的号", "No places free in the next days"],
  free: ["余 {n} 个号", "{n} free"],
  take: ["挂号", "Take a place"],
  takeAsk: ["{which}，诊察费 {fee}，确认挂号？", "{which}, fee {fee}: take this place?"],
  again: ["重新填写", "Ask again"],
  morning: ["上午", "morning"],
  afternoon: ["下午", "afternoon"],
  evening: ["晚上", "evening"],
  visit: ["我的就诊", "My visit"],
  ahead: ["前面还有 {n} 人", "{n} before you"],
  number: ["排队号 {n}", "Queue number {n}"],
  window: ["{n} 号窗口", "Window {n}"],
  then: ["之后：", "Then: "],
} as const satisfies Readonly<Record<string, readonly [string, string]>>;

export type GuidanceWord = keyof typeof WORDS;

/** A word of the view; `{name}` is filled in. */
export function told(
  language: "zh-CN" | "en",
  word: GuidanceWord,
  filled: Readonly<Record<string, string | number>> = {},
): string {
  const text: string = WORDS[word][language === "zh-CN" ? 0 : 1];
  return text.replace(/\{(\w+)\}/g, (_, name: string) => String(filled[name] ?? ""));
}
