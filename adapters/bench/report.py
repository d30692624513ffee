"""The one shape every benchmark prints, as JSON for machines and as a table for people."""

import dataclasses
import json
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One figure.

    ``ratio`` is ``value / reference_value`` unless the benchmark measured it pair by pair.
    ``target`` is a bound on ``ratio`` where there is a reference, else on ``value``; ``met`` says
    whether it was reached. Both are None where nothing was promised.
    """

    name: str
    value: float
    unit: str
    reference: str | None = None
    reference_value: float | None = None
    ratio: float | None = None
    target: float | None = None
    met: bool | None = None


def compared(
    name: str,
    value: float,
    unit: str,
    *,
    reference: str,
    reference_value: float,
    target: float | None = None,
) -> Result:
    """A figure beside its reference; the target, where there is one, is the least ratio."""
    ratio = value / reference_value
    return Result(
        name=name,
        value=value,
        unit=unit,
        reference=reference,
        reference_value=reference_value,
        ratio=ratio,
        target=target,
        met=None if target is None else ratio >= target,
    )


def machine() -> dict[str, object]:
    """What this ran on; no host name and no path."""
    memory_kib = next(
        (
            int(line.split()[1])
            for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
            if line.startswith("MemTotal")
        ),
        0,
    )
    return {
        "cpu_count": os.cpu_count(),
        "cpu": _cpu_model(),
        "memory_gib": round(memory_kib / 2**20, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "cardcore": version("cardcore"),
    }


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def print_report(results: Sequence[Result], *, as_json: bool) -> None:
    """Print ``{"machine": …, "results": […]}``, or a table; no two results have one name."""
    assert len({result.name for result in results}) == len(results), results
    if as_json:
        document = {
            "machine": machine(),
            "results": [dataclasses.asdict(result) for result in results],
        }
        print(json.dumps(document, ensure_ascii=False, indent=2))  # noqa: T201  (its purpose)
        return
    table = Table("figure", "value", "unit", "reference", "its value", "ratio", "target", "met")
    for result in results:
        table.add_row(
            result.name,
            f"{result.value:,.2f}",
            result.unit,
            result.reference or "",
            "" if result.reference_value is None else f"{result.reference_value:,.2f}",
            "" if result.ratio is None else f"{result.ratio:.2f}",
            "" if result.target is None else f"{result.target:g}",
            {None: "", True: "yes", False: "no"}[result.met],
        )
    Console().print(table)
