"""The city's own rules as one document: concessions, transfer offers, caps. Pure.

An operator writes it as JSON; the names of the fields are those of ``ConcessionRule``,
``TransferOffer`` and ``Cap``. It has a version, which every line it decides carries, and it is
taken as a whole or not at all.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Final

from pydantic import TypeAdapter, ValidationError

from scenes.bus.caps import Cap
from scenes.bus.concessions import DEFAULT_POLICY, ConcessionPolicy, ConcessionRule
from scenes.bus.transfers import TransferOffer


class RuleSetInvalidError(Exception):
    """The document is not a rule set. ``faults`` name place and reason, in document order."""

    code: ClassVar[str] = "rule_set_invalid"
    retryable: ClassVar[bool] = False

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(self.faults))


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSet:
    """All rules of one version."""

    version: str
    concessions: tuple[ConcessionRule, ...] = ()
    offers: tuple[TransferOffer, ...] = ()
    caps: tuple[Cap, ...] = ()

    @property
    def policy(self) -> ConcessionPolicy:
        """The concessions, as pricing takes them."""
        return ConcessionPolicy(version=self.version, rules=self.concessions)


DEFAULT_RULES: Final = RuleSet(version=DEFAULT_POLICY.version, concessions=DEFAULT_POLICY.rules)

_ADAPTER: Final = TypeAdapter(RuleSet)


def read_rule_set(document: str | bytes) -> RuleSet:
    """Read a rule set from its JSON text.

    Raises:
        RuleSetInvalidError: with every fault: a wrong type, a value out of bounds, a field nobody
            knows (a misspelt one would silently be no rule), a name used twice.
    """
    try:
        rules = _ADAPTER.validate_json(document, strict=True)
    except ValidationError as error:
        raise RuleSetInvalidError(
            f"{'.'.join(map(str, fault['loc'])) or 'document'}: {fault['msg']}"
            for fault in error.errors(include_url=False, include_context=False)
        ) from error
    faults = [*_unknown_fields("", json.loads(document), rule_set_document(rules))]
    for place, names in (
        ("concessions", [rule.concession for rule in rules.concessions]),
        ("offers", [offer.name for offer in rules.offers]),
        ("caps", [cap.name for cap in rules.caps]),
    ):
        twice = sorted({name for name in names if names.count(name) > 1})
        faults += [f"{place}: {name!r} stands more than once" for name in twice]
    if faults:
        raise RuleSetInvalidError(faults)
    return rules


def rule_set_document(rules: RuleSet) -> dict[str, object]:
    """The rule set as JSON values; reading it back gives the same rules."""
    document: dict[str, object] = _ADAPTER.dump_python(rules, mode="json")
    return document


def _unknown_fields(place: str, given: object, understood: object) -> Iterable[str]:
    """Fields of the document that reading it did not take up."""
    if isinstance(given, dict) and isinstance(understood, dict):
        for name, value in given.items():
            if name in understood:
                yield from _unknown_fields(f"{place}{name}.", value, understood[name])
            else:
                yield f"{place}{name}: no such field"
    elif isinstance(given, list) and isinstance(understood, list):
        for number, (one, other) in enumerate(zip(given, understood, strict=False)):
            yield from _unknown_fields(f"{place}{number}.", one, other)
