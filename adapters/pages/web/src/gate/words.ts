/** Every word a guard or a passenger reads, in Chinese and English. */

export type Language = "zh" | "en";

/** One thing said in both languages. */
export type Words = Readonly<Record<Language, string>>;

function words(zh: string, en: string): Words {
  return { zh, en };
}

/** The parts of the page. */
export const SAID = {
  title: words("市民卡核验", "Citizen card check"),
  accepted: words("通过", "Pass"),
  refused: words("不通过", "Refused"),
  ready: words("请出示市民码", "Please show your code"),
  readyHint: words("对准摄像头，或用扫码枪扫描", "Hold it to the camera, or use the scanner"),
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

/** A text for each stable reason of a refusal. */
export const REASONS: Readonly<Record<string, Words>> = {
  code_invalid: words("二维码无效", "This code is not valid"),
  code_expired: words("二维码已过期，请刷新", "This code has expired; please refresh it"),
  clock_skew: words("手机时间与终端不一致", "The clocks of phone and terminal disagree"),
  scene_not_allowed: words("此码不可用于本场景", "This code may not be used here"),
  purpose_not_allowed: words("此码不可用于付款", "This code may not be used for this purpose"),
  domain_not_allowed: words("此码限其他商户使用", "This code is meant for another merchant"),
  context_mismatch: words("此码限其他终端使用", "This code was made for another terminal"),
  user_verification_required: words(
    "请在手机上验证密码或指纹",
    "Please confirm with PIN or biometrics on the phone",
  ),
  list_stale: words("终端名单过旧，暂不能核验", "This terminal cannot check the code now"),
  code_revoked: words("此码已注销", "This code has been revoked"),
  code_suspended: words("此码已挂失或暂停", "This code is suspended"),
  ask_online: words("此码须联网核验，请连接网络", "This code needs the network"),
  code_replayed: words("此码已使用，请刷新", "This code has been used already"),
  cap_exceeded: words("超出单次限额", "Above what this code may pay at once"),
  cap_cumulative_exceeded: words("脱机限额已用完，请联网刷新", "Offline limit reached; go online"),
  cap_count_exceeded: words("脱机次数已用完，请联网刷新", "Offline uses used up; go online"),
  storage_full: words("本机存储已满，暂停使用", "This terminal's storage is full"),
  storage_failed: words("本机存储故障，暂停使用", "This terminal's storage has failed"),
  queue_full: words("待上传记录已满，请联网", "Too many records wait to be uploaded"),
  terminal_clock: words("本机时钟有误", "This terminal's clock is wrong"),
  package_missing: words("本机数据未下载，请联网", "This terminal has no data yet; go online"),
  package_expired: words("本机数据已过期，请联网", "This terminal's data has expired; go online"),
  door_unknown: words("本门未登记", "This door is not known"),
  no_relation: words("无通行权限", "No right to pass here"),
  not_yet_valid: words("尚未到有效期", "Not valid yet"),
  expired: words("通行权限已过期", "The right to pass has ended"),
  outside_hours: words("不在允许时段", "Outside the permitted hours"),
  pass_used_up: words("访客次数已用完", "This visitor pass is used up"),
  access_refused: words("不允许通行", "Passage is not allowed"),
  insufficient_balance: words("余额不足", "Insufficient balance"),
  user_frozen: words("账户已冻结", "The account is frozen"),
  level_too_low: words("实名等级不足", "The registration level is too low"),
  limit_exceeded: words("超出限额", "Over a limit"),
  server_away: words("未能联网，请重试", "No answer from the network; try again"),
  activation_refused: words("激活码无效，请核对", "The activation code is not valid"),
  scene_not_offline: words("此场景不能脱机核验", "This scene cannot be checked offline"),
  camera_refused: words("未允许使用摄像头；可用扫码枪", "No camera allowed; use the scanner"),
  camera_missing: words("没有摄像头；可用扫码枪", "No camera here; use the scanner"),
  camera_failed: words("摄像头无法打开；可用扫码枪", "The camera failed; use the scanner"),
  terminal_revoked: words("本终端已停用", "This terminal has been shut out"),
  invalid_client: words(
    "本终端已停用或已在别处入网",
    "This terminal is shut out, or enrolled elsewhere",
  ),
  fault: words("本页出错，请重新打开", "Something failed here; open the page again"),
};

export const UNKNOWN_REASON = words("不能通过", "Cannot pass");

/** Fen as yuan with two decimals. */
export function yuan(fen: number): string {
  return `${Math.floor(fen / 100)}.${String(fen % 100).padStart(2, "0")}`;
}
