"""What an operator sets for terminals, as the part ``parameters`` of the terminal package.

JSON object. ``format`` is 1; a terminal refuses a format it does not know and keeps its last good
package, since a rule it cannot read might be one that forbids. Within a format new names may
appear that older terminals ignore: they can only describe, never forbid.

| name | meaning |
|---|---|
| ``skew_s`` | clock tolerance, 0 to 30 |
| ``list_age_max_s`` | a status list older than this is stale |
| ``stale_cap_fen`` | the most that is taken on a stale list; null = nothing, not even a door |
| ``domain`` | number of the merchant a code may be restricted to, 0 = none |
| ``context_required`` | refuse codes made for no place |
| ``user_verified_required`` | the phone must have checked PIN or biometrics |
| ``tariff_classes`` | list of objects with the fields of ``TariffClass`` |

Names that are missing have the defaults below. Pure. Source: docs/terminal.md.
"""

import json
from dataclasses import asdict, dataclass
from typing import Any, Final, Self

from codes.fields import Purpose, Scope
from codes.policy import LIST_AGE_MAX_S, SKEW_S_MAX, Policy

PARAMETERS_PART: Final = "parameters"
FORMAT: Final = 1
TARIFF_CLASS_MAX: Final = 31
_U32_MAX: Final = 0xFFFFFFFF
_U16_MAX: Final = 0xFFFF
_TEXT_LENGTH_MAX: Final = 64


class ParametersInvalidError(ValueError):
    """The part is not parameters of a format known here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TariffClass:
    """What a tariff class in a code means here.

    ``concession`` is the class of riders as the fare rules name it, "" where it changes no price.
    The names are what an inspector reads beside the result.
    """

    tariff_class: int
    name_zh: str
    name_en: str
    concession: str = ""

    def __post_init__(self) -> None:
        _check_number("tariff_class", self.tariff_class, TARIFF_CLASS_MAX)
        for text in (self.name_zh, self.name_en, self.concession):
            _check_text(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalParameters:
    """The parameters; see the table. Raises ``ParametersInvalidError`` when one is out of range."""

    skew_s: int = SKEW_S_MAX
    list_age_max_s: int = LIST_AGE_MAX_S
    stale_cap_fen: int | None = None
    domain: int = 0
    context_required: bool = False
    user_verified_required: bool = False
    tariff_classes: tuple[TariffClass, ...] = ()

    def __post_init__(self) -> None:
        _check_number("skew_s", self.skew_s, SKEW_S_MAX)
        _check_number("list_age_max_s", self.list_age_max_s, _U32_MAX)
        if self.stale_cap_fen is not None:
            _check_number("stale_cap_fen", self.stale_cap_fen, _U32_MAX)
        _check_number("domain", self.domain, _U16_MAX)
        for demand in (self.context_required, self.user_verified_required):
            _check_demand(demand)
        numbers = [one.tariff_class for one in self.tariff_classes]
        if len(set(numbers)) != len(numbers):
            raise ParametersInvalidError("a tariff class stands twice")

    def tariff_class(self, number: int) -> TariffClass | None:
        """What a tariff class in a code means, None where nobody said."""
        return next((one for one in self.tariff_classes if one.tariff_class == number), None)

    def policy(self, *, scope: Scope, needs: Purpose, place_ids: tuple[str, ...]) -> Policy:
        """The offline policy of one place under these parameters."""
        return Policy(
            scope=scope,
            needs=needs,
            domain=self.domain,
            place_ids=place_ids,
            context_required=self.context_required,
            user_verified_required=self.user_verified_required,
            skew_s=self.skew_s,
            list_age_max_s=self.list_age_max_s,
            stale_cap_fen=self.stale_cap_fen,
        )

    def to_json(self) -> bytes:
        """The part's bytes; equal parameters have equal bytes."""
        document = {"format": FORMAT, **asdict(self)}
        return json.dumps(
            document, ensure_ascii=False, separators=(",", ":"), sort_keys=True
        ).encode()

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """Undo ``to_json``.

        Raises:
            ParametersInvalidError: not JSON, another format, or a value out of range.
        """
        try:
            document: dict[str, Any] = json.loads(data)
            _check_format(document["format"])
            known = {name: document[name] for name in cls.__slots__ if name in document}
            classes = known.pop("tariff_classes", ())
            return cls(**known, tariff_classes=tuple(_tariff_class(one) for one in classes))
        except ParametersInvalidError:
            raise
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise ParametersInvalidError(f"not parameters: {error!r}") from None


def _tariff_class(entry: dict[str, Any]) -> TariffClass:
    return TariffClass(**{name: entry[name] for name in TariffClass.__slots__ if name in entry})


def _check_number(name: str, value: object, largest: int) -> None:
    # JSON's true would pass for 1.
    if type(value) is not int or not 0 <= value <= largest:
        raise ParametersInvalidError(f"{name} must be 0 to {largest}")


def _check_text(value: object) -> None:
    if not isinstance(value, str) or len(value) > _TEXT_LENGTH_MAX:
        raise ParametersInvalidError("a name is a text of at most 64 characters")


def _check_demand(value: object) -> None:
    if not isinstance(value, bool):
        raise ParametersInvalidError("a demand is true or false")


def _check_format(value: object) -> None:
    if value != FORMAT:
        raise ParametersInvalidError(f"format {value!r} is not known here")
