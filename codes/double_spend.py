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

from codes.errors import CodeMalformedError
from codes.layout import ClassD, ClassP
from codes.validator_record import CHAIN_START, Decision, ValidatorRecord


class FindingKind(Enum):
    """What two records prove.

    DOUBLE_SPEND: one code was accepted twice. COUNTER_REUSED: the device key signed two different
    codes with one counter. COUNTER_BACKWARDS: a later code has a lower counter; with the one before
    it proves two copies of the key, or a phone put back to an older state. TERMINAL_FORKED: one
    terminal signed two records with one sequence number.
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
    """Records missing or replaced between two of one terminal; ``before`` None: at the start.

    ``missing_count`` 0 means that the numbers follow and the digest does not.
    """

    before: ValidatorRecord | None
    after: ValidatorRecord
    missing_count: int


def _order(record: ValidatorRecord) -> tuple[int, str, int]:
    return (record.occurred_at_ms, record.place.terminal_id, record.sequence_no)


def _is_same(one: ValidatorRecord, other: ValidatorRecord) -> bool:
    """One record uploaded twice. A clash of sequence numbers is another finding."""
    return one.place.terminal_id == other.place.terminal_id and one.sequence_no == other.sequence_no


def double_spends(records: Iterable[ValidatorRecord]) -> list[Finding]:
    """Codes accepted more than once, each later acceptance with the first one.

    Printed codes may be shown again and never count. Order of the records does not matter.
    """
    by_code: dict[bytes, list[ValidatorRecord]] = defaultdict(list)
    for record in records:
        if record.decision is Decision.REFUSED:
            continue
        try:
            if not isinstance(record.code, ClassP):
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
    """Device keys that exist twice, by their counters.

    Codes of one authorisation in order of the phone's clock must have rising counters. Refused
    records count too: a refused code was signed all the same.
    """
    by_device: dict[bytes, dict[bytes, tuple[ClassD, ValidatorRecord]]] = defaultdict(dict)
    for record in sorted(records, key=_order):
        try:
            code = record.code
        except CodeMalformedError:
            continue
        if isinstance(code, ClassD):
            # One code shown twice is no clone: keep its first record only. The signature is left
            # out because its twin says nothing new.
            by_device[record.code_identity.key[:11]].setdefault(code.signed_part, (code, record))
    findings = []
    for shown in by_device.values():
        in_order = sorted(shown.values(), key=lambda pair: (pair[0].made_at_s, pair[0].counter))
        for (code, record), (next_code, next_record) in pairwise(in_order):
            if next_code.counter == code.counter:
                kind = FindingKind.COUNTER_REUSED
            elif next_code.counter < code.counter:
                kind = FindingKind.COUNTER_BACKWARDS
            else:
                continue
            findings.append(Finding(kind=kind, first=record, second=next_record))
    return findings


def chain_breaks(
    records: Sequence[ValidatorRecord], last_known: ValidatorRecord | None = None
) -> list[ChainBreak]:
    """Where the chain of one terminal does not hold, after ``last_known``.

    ``records`` in any order, all of one terminal. A break is reported and blocks nothing.
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
    """Terminals that signed two different records with one sequence number."""
    seen: dict[tuple[str, int], ValidatorRecord] = {}
    findings = []
    for record in sorted(records, key=_order):
        name = (record.place.terminal_id, record.sequence_no)
        first = seen.setdefault(name, record)
        if first.unsigned != record.unsigned:
            findings.append(Finding(kind=FindingKind.TERMINAL_FORKED, first=first, second=record))
    return findings
