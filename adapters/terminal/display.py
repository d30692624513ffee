"""Every word a person reads at the terminal, in Chinese and English, and how it is laid out.

``REASONS`` has a text for each stable reason a scan can be refused for. ``Display`` prints for
people or, one JSON object a line, for the program around it.
"""

import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from threading import Lock
from typing import Any, Final, NamedTuple, TextIO

from adapters.terminal.decision import Outcome

_WIDTH: Final = 44
_FEN_PER_YUAN: Final = 100
_BELL: Final = "\a"


class Words(NamedTuple):
    """One thing said in both languages."""

    zh: str
    en: str


ACCEPTED: Final = Words("通过", "ACCEPTED")
REFUSED: Final = Words("拒绝", "REFUSED")
REASONS: Final[Mapping[str, Words]] = {
    # The code itself (codes/errors.py).
    "code_invalid": Words("二维码无效", "This code is not valid"),
    "code_expired": Words("二维码已过期，请刷新", "This code has expired; please refresh it"),
    "clock_skew": Words("手机时间与终端不一致", "The clocks of phone and terminal disagree"),
    "scene_not_allowed": Words("此码不可用于本场景", "This code may not be used here"),
    "purpose_not_allowed": Words("此码不可用于付款", "This code may not be used for this purpose"),
    "domain_not_allowed": Words("此码限其他商户使用", "This code is meant for another merchant"),
    "context_mismatch": Words("此码限其他终端使用", "This code was made for another terminal"),
    "user_verification_required": Words(
        "请在手机上验证密码或指纹", "Please confirm with PIN or biometrics on the phone"
    ),
    "list_stale": Words("终端名单过旧，暂不能核验", "This terminal cannot check the code now"),
    "code_revoked": Words("此码已注销", "This code has been revoked"),
    "code_suspended": Words("此码已挂失或暂停", "This code is suspended"),
    "ask_online": Words("此码须联机核验", "This code needs an online check"),
    "code_replayed": Words("此码已使用，请刷新", "This code has been used already"),
    "cap_exceeded": Words("超出单次限额", "Above what this code may pay at once"),
    "cap_cumulative_exceeded": Words(
        "脱机限额已用完，请联网刷新", "Offline limit reached; please go online"
    ),
    "cap_count_exceeded": Words(
        "脱机次数已用完，请联网刷新", "Offline uses used up; please go online"
    ),
    # The terminal itself.
    "storage_full": Words("终端存储已满，暂停使用", "This terminal's storage is full"),
    "storage_failed": Words("终端存储故障，暂停使用", "This terminal's storage has failed"),
    "queue_full": Words("待上传记录已满，请联网", "Too many records wait to be uploaded"),
    "terminal_clock": Words("终端时钟有误", "This terminal's clock is wrong"),
    "package_missing": Words("终端参数未下载", "This terminal has no package yet"),
    "package_expired": Words("终端参数已过期", "This terminal's package has expired"),
    "not_read": Words("未读到二维码", "No code could be read"),
    # The price.
    "fare_missing": Words("终端未设线路或票价", "This terminal has no line or no fares"),
    "fare_refused": Words("无法计价", "This ride cannot be priced"),
    "fare_unknown": Words("票价未公布", "No fare is published for this ride"),
    "line_unknown": Words("线路不存在", "No such line"),
    "stop_unknown": Words("站点不存在", "No such stop"),
    # The door (scenes/community/access.py).
    "door_unknown": Words("门禁未登记", "No such door"),
    "no_relation": Words("无此门通行权限", "No right to pass this door"),
    "not_yet_valid": Words("通行权限尚未生效", "The right to pass has not begun"),
    "expired": Words("通行权限已到期", "The right to pass has ended"),
    "outside_hours": Words("不在通行时段", "Outside the hours of passage"),
    "pass_used_up": Words("访客次数已用完", "This visitor pass is used up"),
}
UNKNOWN_REASON: Final = Words("无法受理", "Not possible here")
WARNINGS: Final[Mapping[str, Words]] = {
    "list_stale": Words("名单已过时", "status list is stale"),
    "counter_regression": Words("手机计数倒退，可能被复制", "phone's counter went back: a copy?"),
}


def yuan(amount_fen: int) -> str:
    """``12.34``."""
    return f"{amount_fen // _FEN_PER_YUAN}.{amount_fen % _FEN_PER_YUAN:02d}"


def as_event(outcome: Outcome) -> dict[str, Any]:
    """One decision as a JSON object."""
    said = ACCEPTED if outcome.reason is None else REASONS.get(outcome.reason, UNKNOWN_REASON)
    holder = outcome.holder
    return {
        "event": "decision",
        "result": "accepted" if outcome.accepted else "refused",
        "reason": outcome.reason,
        "zh": said.zh,
        "en": said.en,
        "amount_fen": outcome.amount_fen if outcome.accepted else 0,
        "record_id": None if outcome.record_id is None else str(outcome.record_id),
        "sequence_no": outcome.sequence_no,
        "occurred_at": instant(outcome.occurred_at_ms),
        "holder": None if holder is None else {"zh": holder.name_zh, "en": holder.name_en},
        "companions": outcome.companions,
        "warnings": list(outcome.warnings),
    }


def instant(unix_ms: int) -> str:
    """RFC 3339 with milliseconds, UTC."""
    at = datetime.fromtimestamp(unix_ms / 1000, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def as_lines(outcome: Outcome) -> list[str]:
    """One decision for a screen a few metres away."""
    rule = ("━" if outcome.accepted else "╳") * _WIDTH
    lines = [rule]
    if outcome.reason is None:
        amount = f"   {yuan(outcome.amount_fen)} 元" if outcome.amount_fen else ""
        lines.append(f"  ✔ {ACCEPTED.zh} · {ACCEPTED.en}{amount}")
        if outcome.holder is not None:
            lines.append(f"    {outcome.holder.name_zh} · {outcome.holder.name_en}")
        if outcome.companions:
            lines.append(f"    同行 · with {outcome.companions}")
        lines += [f"    ⚠ {WARNINGS[one].zh} · {WARNINGS[one].en}" for one in outcome.warnings]
    else:
        said = REASONS.get(outcome.reason, UNKNOWN_REASON)
        lines += [f"  ✘ {REFUSED.zh} · {REFUSED.en}", f"    {said.zh}", f"    {said.en}"]
        lines.append(f"    [{outcome.reason}]")
    return [*lines, rule]


class Display:
    """Prints decisions and notices, whole and at once. Safe between threads.

    Args:
        out: where to.
        as_json: one JSON object a line instead of big lines.
        bell: sound one bell for an acceptance, two for a refusal.
    """

    def __init__(
        self, out: TextIO = sys.stdout, *, as_json: bool = False, bell: bool = False
    ) -> None:
        self._out = out
        self._as_json = as_json
        self._bell = bell
        self._lock = Lock()

    def show(self, outcome: Outcome) -> None:
        """Show a decision that is on the disk."""
        if self._as_json:
            self._print(_json(as_event(outcome)))
            return
        bell = (_BELL if outcome.accepted else _BELL * 2) if self._bell else ""
        self._print("\n".join(as_lines(outcome)) + bell)

    def notice(self, event: str, words: Words, **facts: object) -> None:
        """Tell what happened to the terminal itself."""
        if self._as_json:
            self._print(_json({"event": event, "zh": words.zh, "en": words.en} | facts))
            return
        told = ", ".join(f"{name} {value}" for name, value in facts.items())
        self._print(f"· {words.zh} · {words.en}" + (f" ({told})" if told else ""))

    def _print(self, text: str) -> None:
        with self._lock:
            self._out.write(text + "\n")
            self._out.flush()


def _json(event: Mapping[str, object]) -> str:
    return json.dumps(event, ensure_ascii=False, separators=(",", ":"))
