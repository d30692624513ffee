/**
 * A sentence for each stable reason a guard may meet: what it is, and where it helps, what to do now.
 *
 * `tests/adapters/pages/test_gate_words.py` walks the catalogue of refusals: a new reason without words
 * fails there. Those of the page itself the compiler walks.
 */

import type { CodeReason } from "../verifier/refusal.ts";
import type { CameraFault } from "./camera.ts";
import type { StorageError } from "./database.ts";
import { type Language, type Words, words } from "./words.ts";

/** Nobody at the gate can mend these: the tablet and the server do not speak the same language. */
const TECHNICIAN = words(
  "本机与服务器通信异常，请联系管理员",
  "Tablet and server do not understand each other; call the technician",
);
const BUSY = words("服务器繁忙，请稍后再试", "The server is busy; try again in a moment");

const REASONS = {
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
  user_unknown: words("查无此人，请到服务窗口办理", "Nobody is registered under this code"),
  card_tap_invalid: words("刷卡数据无效，请重新刷卡", "The tap was not read well; tap again"),
  card_tap_expired: words("刷卡已超时，请重新刷卡", "The tap has expired; tap again"),
  card_domain_not_allowed: words("此卡不能在此使用", "This card may not be used here"),
  card_counter_regressed: words(
    "卡片异常，请联系发卡方",
    "Something is wrong with this card; ask its issuer",
  ),
  card_lost: words("此卡已挂失", "This card was reported lost"),
  card_inactive: words("此卡已停用", "This card is not in use"),
  merchant_unknown: words(
    "本商户未登记，请联系管理员",
    "This merchant is not registered; call the technician",
  ),
  terminal_unknown: words(
    "本终端未登记，请联系管理员",
    "This terminal is not registered; call the technician",
  ),
  scene_unknown: words(
    "本场景未登记，请联系管理员",
    "This scene is not registered; call the technician",
  ),
  scene_retired: words("本场景已停用", "This scene takes no more orders"),
  issuer_unknown: words("此码来自未互通的城市", "This code is of a city not connected to ours"),
  mode_not_allowed: words("此处未开通这种交易", "This kind of transaction is not offered here"),
  amount_invalid: words("金额有误，请重新输入", "The amount is not valid; enter it again"),
  fund_unknown: words("此账户不能在此付款", "The account cannot pay here"),
  order_conflict: words("订单重复，请重新扫码", "The order is there twice; scan again"),
  order_exists: words("此单已收款，请勿重复", "This order is booked already"),
  idempotency_key_reused: words("订单重复，请重新扫码", "The order is there twice; scan again"),
  token_missing: TECHNICIAN,
  token_invalid: TECHNICIAN,
  forbidden: words("本终端无权办理此业务", "This terminal may not do this"),
  header_invalid: TECHNICIAN,
  json_invalid: TECHNICIAN,
  body_too_large: TECHNICIAN,
  content_type: TECHNICIAN,
  idempotency_key_missing: TECHNICIAN,
  idempotency_key_invalid: TECHNICIAN,
  request_invalid: words("内容有误，请核对", "Something entered is not valid; check it"),
  service_unavailable: BUSY,
  internal_error: BUSY,
  rate_limited: BUSY,
  request_in_flight: BUSY,
  body_timeout: words("网络太慢，请重试", "The network is slow; try again"),
} as const satisfies Readonly<Record<CodeReason | CameraFault | StorageError["reason"], Words>> &
  Readonly<Record<string, Words>>;

const UNKNOWN = words("不能通过", "Cannot pass");

/** A stable reason as a sentence; of one that is newer than this page only that it is a no. */
export function sentenceOf(reason: string, language: Language): string {
  return ((REASONS as Readonly<Record<string, Words>>)[reason] ?? UNKNOWN)[language];
}
