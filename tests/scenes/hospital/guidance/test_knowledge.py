"""Tables that are wrong are refused, with file and line."""

from importlib.resources import files

import pytest

from scenes.hospital.guidance.knowledge import KnowledgeError, current, knowledge_of

FOLDER = files("scenes.hospital.guidance") / "knowledge"
TABLES = {entry.name: entry.read_text(encoding="utf-8") for entry in FOLDER.iterdir()}


def test_the_version_and_the_digest_name_the_tables() -> None:
    knowledge = knowledge_of(TABLES)
    assert (knowledge.version, knowledge.digest) == (current().version, current().digest)
    other = knowledge_of({**TABLES, "sources.tsv": TABLES["sources.tsv"] + "more\ta\tb\n"})
    assert other.digest != knowledge.digest


@pytest.mark.parametrize(
    ("name", "line", "message"),
    [
        ("words.tsv", "tune\tcough\t咳嗽", "no such kind 'tune'"),
        ("words.tsv", "sign\tcough\t發燒", "not in its normal form"),
        ("words.tsv", "skip\t-\t咳嗽", "both means something and nothing"),
        ("words.tsv", "sign\tcough\t咳嗽\tmore", "3 fields are expected"),
        ("routes.tsv", "couhg\t\trespiratory=1", "no such fact: couhg"),
        ("routes.tsv", "cough\t\trespiratry=1", "no such specialty"),
        ("routes.tsv", "cough\tmartian\trespiratory=1", "no such person: martian"),
        ("flag_rules.tsv", "chets\tcough", "no such flag: chets"),
        ("flags.tsv", "new\temergency\temergency\t一\tone\ttriage-levels", "no rule"),
        ("specialties.tsv", "x\tx\tx\t\tnobody\t1\t-\t0", "passes on to nobody"),
    ],
)
def test_a_wrong_line_is_refused(name: str, line: str, message: str) -> None:
    with pytest.raises(KnowledgeError, match=message) as refused:
        knowledge_of({**TABLES, name: f"{TABLES[name]}{line}\n"})
    assert name.split(".", maxsplit=1)[0] in str(refused.value)


def test_every_flag_names_a_source_of_the_list() -> None:
    sources = {line.split("\t")[0] for line in TABLES["sources.tsv"].splitlines()[1:]}
    assert {flag.source for flag in current().flags} <= sources
