"""Guidance on the labelled cases: how long it thinks, and how often it is right."""

import time
from importlib.resources import files
from typing import Final

from adapters.bench.report import Result
from scenes.hospital.guidance.evaluation import cases_of, figures_of
from scenes.hospital.guidance.knowledge import current
from scenes.hospital.guidance.triage import advise

PARTS: Final = ("development", "held_out")


def measured(*, quick: bool) -> list[Result]:
    """Rows of ``cardcore bench hospital``: processor time of an advice, accuracy by part."""
    knowledge = current()
    folder = files("scenes.hospital.guidance") / "cases"
    parts = {part: cases_of((folder / f"{part}.tsv").read_text("utf-8")) for part in PARTS}
    taken_ms: list[float] = []
    for _ in range(1 if quick else 5):
        for case in (case for cases in parts.values() for case in cases):
            started = time.process_time()
            advise(knowledge, case.text, case.patient)
            taken_ms.append((time.process_time() - started) * 1000)
    taken_ms.sort()
    rows = [
        Result(name="triage of a text, median", value=taken_ms[len(taken_ms) // 2], unit="ms"),
        Result(name="triage of a text, p99", value=taken_ms[len(taken_ms) * 99 // 100], unit="ms"),
    ]
    for part, cases in parts.items():
        figures = figures_of(knowledge, cases)
        name = f"triage, {part.replace('_', ' ')} cases ({figures.cases})"
        rows += [
            _share(f"{name}, first right", figures.top_1),
            _share(f"{name}, among three", figures.top_3),
            _share(f"{name}, red flags seen", figures.red_recall, target=1.0),
            _share(f"{name}, red flags right", figures.red_precision),
        ]
    return rows


def _share(name: str, share: float, *, target: float | None = None) -> Result:
    met = None if target is None else share >= target
    return Result(name=name, value=share, unit="of 1", target=target, met=met)
