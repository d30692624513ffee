"""The Chinese distance-fare sentence, read into steps. Pure.

Operators print their tariff on the stop sign as one sentence, for instance
「10公里以内(含)票价2元每增加5公里以内(含)加价1元」 or 「单一票制票价20元刷卡12元各种票证无效」.
The sentence is split into clauses from left to right; a character that belongs to no clause
refuses the whole sentence, so that half-understood tariffs never price a ride.

Distances are metres, money is fen. 「以内」 includes its bound unless 「不含」 is
written (Civil Code of the PRC, article 1259).

Source: fare sentences of public Beijing route data; grammar ours.
"""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import ClassVar, Final

from scenes.bus.leg_fares import Medium

SENTENCE_SIZE_MAX: Final = 200
DISTANCE_M_MAX: Final = 1_000_000
AMOUNT_FEN_MAX: Final = 10_000_000
PER_MILLE: Final = 1000


class FareSentenceError(Exception):
    """A fare sentence cannot be understood. ``position`` counts characters of ``sentence``.

    ``sentence`` is the normalised text (half-width, without blanks and commas).
    """

    code: ClassVar[str] = "fare_sentence_unreadable"
    retryable: ClassVar[bool] = False

    def __init__(self, sentence: str, position: int, reason: str) -> None:
        super().__init__(f"{reason} at character {position + 1}: {sentence[position:]!r}")
        self.sentence = sentence
        self.position = position
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class DistanceSteps:
    """So much up to a distance, then so much for every further stretch begun.

    ``base_m`` None: one price for any distance. ``base_included`` False: at exactly ``base_m`` the
    first step is due.
    """

    base_fen: int
    base_m: int | None = None
    base_included: bool = True
    step_m: int = 0
    step_fen: int = 0

    def fare_fen(self, distance_m: int) -> int:
        """The price of a ride of ``distance_m`` metres, >= 0."""
        assert distance_m >= 0
        if self.base_m is None:
            return self.base_fen
        beyond_m = distance_m - self.base_m + (0 if self.base_included else 1)
        if beyond_m <= 0:
            return self.base_fen
        return self.base_fen + -(-beyond_m // self.step_m) * self.step_fen


@dataclass(frozen=True, slots=True, kw_only=True)
class DistanceFare:
    """A whole tariff sentence.

    Attributes:
        steps: the full price by distance.
        maximum_fen: never more than this, None for no bound.
        card_fen: price by card where it is a fixed amount.
        card_per_mille: price by card as a share of the full price, 1000 for none.
        concessions_allowed: False where the sentence says that no pass or rebate is taken.
    """

    steps: DistanceSteps
    maximum_fen: int | None = None
    card_fen: int | None = None
    card_per_mille: int = PER_MILLE
    concessions_allowed: bool = True

    def fare_fen(self, distance_m: int, medium: Medium) -> int:
        """The price by medium. A share that is no whole fen is rounded down."""
        full_fen = self.steps.fare_fen(distance_m)
        if self.maximum_fen is not None:
            full_fen = min(full_fen, self.maximum_fen)
        if medium is Medium.CASH:
            return full_fen
        if self.card_fen is not None:
            return min(full_fen, self.card_fen)
        return full_fen * self.card_per_mille // PER_MILLE


_NUMBER: Final = r"(?:\d{1,6}(?:\.\d{1,2})?|[一二两三四五六七八九十半]{1,3})"
_MONEY: Final = rf"(?:{_NUMBER}元(?:{_NUMBER}角)?|{_NUMBER}角)"
_KILOMETRES: Final = rf"(?P<km>{_NUMBER})(?:公里|千米|km)"
_BOUND: Final = r"(?P<bound>\(含\)|\(不含\)|含|不含)?"
_DIGITS: Final = {digit: value for value, digit in enumerate("一二三四五六七八九", start=1)} | {
    "两": 2
}


@dataclass(slots=True)
class _Clauses:
    """What the clauses read so far have said."""

    sentence: str
    base: tuple[int, int, bool] | None = None
    flat_fen: int | None = None
    step: tuple[int, int] | None = None
    maximum_fen: int | None = None
    card_fen: int | None = None
    card_per_mille: int | None = None
    concessions_allowed: bool = True
    said: set[str] = field(default_factory=set)

    def finish(self) -> DistanceFare:
        end = len(self.sentence)
        if (self.base is None) == (self.flat_fen is None):
            raise FareSentenceError(self.sentence, end, "neither one price nor a first stretch")
        if (self.base is None) != (self.step is None):
            raise FareSentenceError(self.sentence, end, "first stretch and step need each other")
        if self.base is not None and self.step is not None:
            base_m, base_fen, included = self.base
            steps = DistanceSteps(
                base_fen=base_fen,
                base_m=base_m,
                base_included=included,
                step_m=self.step[0],
                step_fen=self.step[1],
            )
        else:
            steps = DistanceSteps(base_fen=self.flat_fen or 0)
        return DistanceFare(
            steps=steps,
            maximum_fen=self.maximum_fen,
            card_fen=self.card_fen,
            card_per_mille=PER_MILLE if self.card_per_mille is None else self.card_per_mille,
            concessions_allowed=self.concessions_allowed,
        )


def _read_base(clauses: _Clauses, match: re.Match[str]) -> None:
    included = "不" not in (match["bound"] or "")
    clauses.base = (_metres(match["km"]), _fen(match["money"]), included)


def _read_step(clauses: _Clauses, match: re.Match[str]) -> None:
    clauses.step = (_metres(match["km"]), _fen(match["money"]))


def _read_maximum(clauses: _Clauses, match: re.Match[str]) -> None:
    clauses.maximum_fen = _fen(match["money"] or match["top"])


def _read_flat(clauses: _Clauses, match: re.Match[str]) -> None:
    clauses.flat_fen = _fen(match["money"])


def _read_card(clauses: _Clauses, match: re.Match[str]) -> None:
    clauses.card_fen = _fen(match["money"])


def _read_card_share(clauses: _Clauses, match: re.Match[str]) -> None:
    tenths = _number(match["tenths"])  # 五折 and 8.5折 are shares in tenths
    clauses.card_per_mille = int(tenths * 100)


def _read_no_concessions(clauses: _Clauses, match: re.Match[str]) -> None:
    del match
    clauses.concessions_allowed = False


# In the order tried: a clause that starts like another but says more stands first.
_GRAMMAR: Final[
    tuple[tuple[str, re.Pattern[str], Callable[[_Clauses, re.Match[str]], None]], ...]
] = (
    (
        "base",
        re.compile(
            rf"(?:分段计价|计程票制|阶梯票制)?(?:起步|首段|首)?{_KILOMETRES}(?:以内|及以内|之内|内)?{_BOUND}"
            rf"(?:起步)?(?:票价|价)?为?(?P<money>{_MONEY})"
        ),
        _read_base,
    ),
    (
        "base",
        re.compile(
            rf"(?:分段计价|计程票制|阶梯票制)?起步(?:票价|价)?为?(?P<money>{_MONEY})"
            rf"(?:可乘坐|可乘|可坐|含)?{_KILOMETRES}(?:以内|内)?{_BOUND}"
        ),
        _read_base,
    ),
    (
        "step",
        re.compile(
            rf"(?:超过部分|超出部分|以上部分|以上|超过后|之后|以后)?(?:超过{_NUMBER}公里后?)?每(?:增加|增|超过|超|加)?{_KILOMETRES}"
            rf"(?:以内|内)?{_BOUND}(?:加价|增加|加收|递增|加|收)(?P<money>{_MONEY})"
        ),
        _read_step,
    ),
    (
        "maximum",
        re.compile(
            rf"(?:全程)?(?:最高|封顶)(?:票价|价)?为?(?P<money>{_MONEY})(?:封顶)?|(?P<top>{_MONEY})封顶"
        ),
        _read_maximum,
    ),
    (
        "card",
        re.compile(
            rf"(?:刷卡|持卡|刷码)(?:乘车)?(?:票价)?(?:享受|享|打)?(?P<tenths>{_NUMBER})折(?:优惠)?"
        ),
        _read_card_share,
    ),
    (
        "card",
        re.compile(rf"(?:刷卡|持卡|刷码)(?:乘车)?(?:票价|价)?为?(?P<money>{_MONEY})"),
        _read_card,
    ),
    (
        "concessions",
        re.compile(
            r"(?:各种|所有|一切)?(?:票证|月票|优惠证件|优惠卡)(?:均)?(?:无效|不可用|不能使用)"
        ),
        _read_no_concessions,
    ),
    (
        "flat",
        re.compile(
            rf"(?:实行)?(?:单一票制|一票制|单一票价|统一票价|无人售票|全程)?(?:票价|价)?为?(?P<money>{_MONEY})(?:一票制)?"
        ),
        _read_flat,
    ),
)


def parse_fare_sentence(sentence: str) -> DistanceFare:
    """Read a fare sentence.

    Args:
        sentence: as printed, up to ``SENTENCE_SIZE_MAX`` characters; full-width forms, blanks and
            commas do not matter.

    Returns:
        The tariff.

    Raises:
        FareSentenceError: a part is not understood, said twice, or missing.
    """
    text = re.sub(r"[\s,;。、;:!]", "", unicodedata.normalize("NFKC", sentence))
    if len(text) > SENTENCE_SIZE_MAX:
        raise FareSentenceError(text, SENTENCE_SIZE_MAX, "the sentence is too long")
    clauses = _Clauses(text)
    position = 0
    while position < len(text):
        position = _read_clause(clauses, position)
    return clauses.finish()


def _read_clause(clauses: _Clauses, position: int) -> int:
    for name, pattern, read in _GRAMMAR:
        match = pattern.match(clauses.sentence, position)
        if match is None:
            continue
        if name in clauses.said:
            raise FareSentenceError(clauses.sentence, position, f"a second {name} clause")
        clauses.said.add(name)
        try:
            read(clauses, match)
        except ValueError as error:
            raise FareSentenceError(clauses.sentence, position, str(error)) from error
        return match.end()
    raise FareSentenceError(clauses.sentence, position, "not understood")


def _number(text: str) -> Decimal:
    """An Arabic number, or a Chinese one from 半 (a half) to 九十九."""
    if text[0].isdigit():
        return Decimal(text)
    if text == "半":
        return Decimal("0.5")
    tens, ten, ones = text.rpartition("十")
    parts = (tens, ones) if ten else ("", text)
    if any(part and part not in _DIGITS for part in parts):
        raise ValueError(f"{text} is not a number")
    value = _DIGITS.get(parts[1], 0)
    return Decimal(value + (10 * _DIGITS.get(parts[0], 1) if ten else 0))


def _metres(kilometres: str) -> int:
    metres = _number(kilometres) * 1000
    if not 0 < metres <= DISTANCE_M_MAX:
        raise ValueError("a distance must be above zero and below 1,000 km")
    return int(metres)


def _fen(money: str) -> int:
    yuan, mark, jiao = money.rpartition("元") if "元" in money else ("", "", money)
    fen = _number(yuan) * 100 if mark else Decimal(0)
    if jiao:
        fen += _number(jiao.removesuffix("角")) * 10
    if fen != fen.to_integral_value() or not 0 <= fen <= AMOUNT_FEN_MAX:
        raise ValueError(f"{money} is not a fare in whole fen")
    return int(fen)
