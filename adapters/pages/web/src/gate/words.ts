/** Every word a guard or a passenger reads, in Chinese and English. */

export type Language = "zh" | "en";

/** One thing said in both languages. */
export type Words = Readonly<Record<Language, string>>;

/** `zh` and `en` say the same. */
export function words(zh: string, en: string): Words {
  return { zh, en };
}

/** The parts of the page. */
export const SAID = {
  title: words("市民卡核验", "Citizen card check"),
  accepted: words("通过", "Pass"),
  refused: words("不通过", "Refused"),
  ready: words("请出示市民码", "Please show your code"),
  readyHint: words("对准摄像头，或用扫码枪扫描", "Hold it to the camera, or use the scanner"),
  scannerHint: words("请用扫码枪扫描", "Read it with the scanner"),
  loading: words("正在下载核验数据…", "Fetching this terminal's data…"),
  loadingHint: words("下载完成后即可验码", "Codes are checked as soon as it is here"),
  asking: words("正在联网核验…", "Asking the server…"),
  paid: words("已收款", "Paid"),
  online: words("在线", "Online"),
  offline: words("离线", "Offline"),
  offlineHint: words("记录已保存在本机，联网后自动上传", "Records are kept here and sent later"),
  waiting: words("待传", "To send"),
  troubled: words("待查", "To look at"),
  version: words("数据版本", "Data version"),
  frames: words("帧/秒", "frames/s"),
  camera: words("摄像头", "Camera"),
  enrolTitle: words("终端入网", "Enrol this terminal"),
  enrolHint: words(
    "请输入终端编号和激活码。密钥在本机生成，不会离开本机。",
    "Enter the terminal's number and its activation code. The key is made here and stays here.",
  ),
  terminalId: words("终端编号", "Terminal number"),
  activationCode: words("激活码", "Activation code"),
  enrol: words("入网", "Enrol"),
  enrolling: words("正在入网…", "Enrolling…"),
  charge: words("收款", "Charge"),
  amount: words("收款金额（元）", "Amount (yuan)"),
  enterAmount: words("请先输入金额", "Enter the amount first"),
  showToPay: words("请出示市民码付款", "Show your code to pay"),
  clear: words("清除", "Clear"),
  erase: words("退格", "Erase"),
  cancel: words("取消", "Cancel"),
  soundOn: words("声音：开", "Sound on"),
  soundOff: words("声音：关", "Sound off"),
  language: words("English", "中文"),
  companions: words("同行人数", "Companions"),
} as const satisfies Readonly<Record<string, Words>>;

/** What a guard is to do beside looking at the colour. */
export const DEMANDS: Readonly<Record<string, Words>> = {
  photo_check: words("请核对本人照片", "Compare the photo"),
  pin_required: words("请本人输入密码", "Ask for the PIN"),
  list_stale: words("名单较旧，已按小额放行", "The list is old; passed within the small limit"),
  counter_regression: words("此码顺序异常，请留意", "This code is out of order; take note"),
};

/** Fen as yuan with two decimals. */
export function yuan(fen: number): string {
  return `${Math.floor(fen / 100)}.${String(fen % 100).padStart(2, "0")}`;
}
