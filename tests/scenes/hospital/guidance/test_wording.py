"""Guidance never diagnoses: nothing it can say names a disease as a finding."""

import re
from collections.abc import Iterator

import pytest

from scenes.hospital.guidance.knowledge import Words, current

# Words and endings of diseases; of the names of departments these few are allowed.
DISEASE_ZH = re.compile(
    r"炎|癌|瘤|梗|卒中|中风|综合征|症(?!状)|病|结核|溃疡|破裂|穿孔|扭转|夹层|栓|出血热|感染|先兆|"
    r"休克|癫痫|过敏|中暑|中毒|疝|痔|骨折"
)
DISEASE_EN = re.compile(
    r"itis\b|osis\b|oma\b|disease|syndrome|cancer|tumou?r|infarct|stroke|infection|pneumonia|"
    r"diabet|epilep|allerg|hernia|torsion|embol|sepsis|shock(?! or)|appendic|mening",
    re.IGNORECASE,
)
FINDING = re.compile(
    r"诊断|确诊|考虑|疑似|患有|得了|可能是|diagnos|you have|suspect|likely", re.IGNORECASE
)
NAMES_ALLOWED = {"肿瘤科", "感染科", "Infectious diseases"}


def emitted() -> Iterator[Words]:
    """Every text of the tables that an answer can carry."""
    knowledge = current()
    for flag in knowledge.flags:
        yield flag.title
        yield flag.advice
    yield from (one.name for one in knowledge.specialties.values())
    yield from (one.name for one in knowledge.groups)


@pytest.mark.parametrize("words", list(emitted()), ids=lambda words: words.en[:30])
def test_no_text_names_a_disease_or_a_finding(words: Words) -> None:
    assert words.zh
    assert words.en
    if {words.zh, words.en} & NAMES_ALLOWED:
        return
    # An electric shock is what happened, no finding.
    english = words.en.replace("electric shock", "").replace("Electric shock", "")
    for text, diseases in ((words.zh, DISEASE_ZH), (english, DISEASE_EN)):
        assert not diseases.search(text), text
        assert not FINDING.search(text), text


def test_identifiers_name_none_either() -> None:
    knowledge = current()
    names = [flag.flag for flag in knowledge.flags] + [one.group for one in knowledge.groups]
    assert not [name for name in names if DISEASE_EN.search(name)]
