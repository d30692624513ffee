"""What signed records prove against each other: double spends, cloned keys, gaps, liars.

Pure: records in, findings out. Every finding names the records that prove it; each carries the
phone's signature in its evidence and the terminal's own around it. What to do about a finding (one
charge, set the status bit, open a case) is decided elsewhere. Source: docs/validator-record.md.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from typing import NamedTuple

from codes.errors import CodeMalformedError
from codes.layout import ClassD, ClassP
from codes.validator_record import CHAIN_START, Decision, EvidenceKind, ValidatorRecord


class FindingKind(Enum):
    """What two records prove.

    DOUBLE_SPEND: one code or tap was accepted twice. COUNTER_REUSED: the key of a phone or card
    signed two different things with one counter. COUNTER_BACKWARDS: a later code or tap has a lower
    counter; with the one before it proves two copies of the key, or a phone put back to an older
    state. TERMINAL_FORKED: one terminal signed two records with one sequence number.
    """

    DOUBLE_SPEND = "double_spend"
    COUNTER_REUSED = "counter_reused"
    COUNTER_BACKWARDS = "counter_backwards"
    TERMINAL_FORKED = "terminal_forked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A proof made of two records; ``first`` occurred earlier by the terminals' clocks."""

    kind: FindingKind
    first: ValidatorRecord
    second: ValidatorRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainBreak:
    """Records missing or replaced between two of one key; ``before`` None: at the start.

    ``missing_count`` 0 means that the numbers follow and the digest does not.
    """

    before: ValidatorRecord | None
    after: ValidatorRecord
    missing_count: int


def _order(record: ValidatorRecord) -> tuple[int, str, int]:
    return (record.occurred_at_ms, record.place.terminal_id, record.sequence_no)


def _name(record: ValidatorRecord) -> tuple[str, int, int]:
    """What names a record: numbers run from 1 under each key of a terminal."""
    return (record.place.terminal_id, record.kid, record.sequence_no)


def _is_same(one: ValidatorRecord, other: ValidatorRecord) -> bool:
    """One record uploaded twice. A clash of sequence numbers is another finding."""
    return _name(one) == _name(other)


def double_spends(records: Iterable[ValidatorRecord]) -> list[Finding]:
    """Codes accepted more than once, each later acceptance with the first one.

    Printed codes may be shown again and never count; a card's tap counts as a code does. Order of
    the records does not matter.
    """
    by_code: dict[bytes, list[ValidatorRecord]] = defaultdict(list)
    for record in records:
        if record.decision is Decision.REFUSED:
            continue
        try:
            is_tap = record.evidence_kind is EvidenceKind.CARD_TAP
            if is_tap or not isinstance(record.code, ClassP):
                by_code[record.code_identity.key].append(record)
        except CodeMalformedError:
            continue
    findings = []
    for same_code in by_code.values():
        first, *later = sorted(same_code, key=_order)
        findings += [
            Finding(kind=FindingKind.DOUBLE_SPEND, first=first, second=second)
            for second in later
            if not _is_same(first, second)
        ]
    return findings


def cloned_keys(records: Iterable[ValidatorRecord]) -> list[Finding]:
    """Keys of phones and cards that exist twice, by their counters.

    Codes of one authorisation in order of the phone's clock, and taps of one card's token in order
    of their instants, must have rising counters. Refused records count too: what was refused was
    signed all the same.
    """
    by_key: dict[bytes, dict[bytes, tuple[_Counted, ValidatorRecord]]] = defaultdict(dict)
    for record in sorted(records, key=_order):
        try:
            counted = _counted(record)
        except CodeMalformedError:
            continue
        if counted is not None:
            # One code shown twice is no clone: keep its first record only.
            by_key[record.code_identity.key[:11]].setdefault(counted.signed_part, (counted, record))
    findings = []
    for shown in by_key.values():
        in_order = sorted(shown.values(), key=lambda pair: (pair[0].made_at_s, pair[0].counter))
        for (before, record), (after, next_record) in pairwise(in_order):
            if after.counter == before.counter:
                kind = FindingKind.COUNTER_REUSED
            elif after.counter < before.counter:
                kind = FindingKind.COUNTER_BACKWARDS
            else:
                continue
            findings.append(Finding(kind=kind, first=record, second=next_record))
    return findings


class _Counted(NamedTuple):
    """What a key signed under a counter: by its own clock, and without the signature."""

    made_at_s: int
    counter: int
    signed_part: bytes


def _counted(record: ValidatorRecord) -> _Counted | None:
    """None for codes without a counter. Raises ``CodeMalformedError``."""
    if record.evidence_kind is EvidenceKind.CARD_TAP:
        tap = record.tap
        return _Counted(tap.made_at_s, tap.counter, tap.tac_message)
    code = record.code
    if isinstance(code, ClassD):
        # The signature is left out because its twin says nothing new.
        return _Counted(code.made_at_s, code.counter, code.signed_part)
    return None


def chain_breaks(
    records: Sequence[ValidatorRecord], last_known: ValidatorRecord | None = None
) -> list[ChainBreak]:
    """Where the chain of one terminal's key does not hold, after ``last_known``.

    ``records`` in any order, all under one key of one terminal. A break is reported and blocks
    nothing.
    """
    breaks = []
    before = last_known
    for record in sorted(records, key=lambda record: record.sequence_no):
        expected_no = 1 if before is None else before.sequence_no + 1
        expected_digest = CHAIN_START if before is None else before.digest
        missing_count = record.sequence_no - expected_no
        if missing_count < 0:
            continue
        if missing_count or record.previous_digest != expected_digest:
            breaks.append(ChainBreak(before=before, after=record, missing_count=missing_count))
        before = record
    return breaks


def forked_terminals(records: Iterable[ValidatorRecord]) -> list[Finding]:
    """Terminals that signed two different records with one key and one sequence number."""
    seen: dict[tuple[str, int, int], ValidatorRecord] = {}
    findings = []
    for record in sorted(records, key=_order):
        first = seen.setdefault(_name(record), record)
        if first.unsigned != record.unsigned:
            findings.append(Finding(kind=FindingKind.TERMINAL_FORKED, first=first, second=record))
    return findings
