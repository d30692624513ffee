"""What the demo reports: its steps with their figures, and the codes for an outside verifier."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Step:
    """One step: what was shown, how long it took, and the figures."""

    name: str
    title_zh: str
    ok: bool = False
    ms: float = 0.0
    figures: dict[str, Any] = field(default_factory=dict)
    error: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """The step as the report carries it: its figures stand beside its name."""
        shown = {"name": self.name, "title_zh": self.title_zh, "ok": self.ok, "ms": self.ms}
        if self.error is not None:
            shown["error"] = self.error
        return shown | self.figures


class DemoFailedError(Exception):
    """A step did not show what it should."""


@dataclass(slots=True)
class Report:
    """All steps so far."""

    steps: list[Step] = field(default_factory=list)
    codes: list[dict[str, Any]] = field(default_factory=list)
    key_ring: dict[str, Any] = field(default_factory=dict)
    trial_balance_fen: int | None = None
    custody_difference_fen: int | None = None

    @property
    def ok(self) -> bool:
        """Every step has shown what it should, and the books are closed to zero."""
        return (
            all(step.ok for step in self.steps)
            and self.trial_balance_fen == 0
            and self.custody_difference_fen == 0
        )

    @contextmanager
    def step(self, name: str, title_zh: str) -> Iterator[dict[str, Any]]:
        """Time a step; the block fills in its figures and raises when something is wrong.

        The first failing step ends the demo.
        """
        step = Step(name, title_zh)
        self.steps.append(step)
        started = time.perf_counter()
        try:
            yield step.figures
            step.ok = True
        except Exception as error:
            step.error = f"{type(error).__name__}: {error}"
            raise DemoFailedError(f"{name}: {step.error}") from error
        finally:
            step.ms = round((time.perf_counter() - started) * 1000, 1)

    def as_dict(self) -> dict[str, Any]:
        """The machine-readable report."""
        return {
            "ok": self.ok,
            "steps": [step.as_dict() for step in self.steps],
            "trial_balance_fen": self.trial_balance_fen,
            "custody_difference_fen": self.custody_difference_fen,
            "codes": [code | {"key_ring": self.key_ring} for code in self.codes],
            "key_ring": self.key_ring,
        }


def require(condition: object, what: str) -> None:
    """Raise ``DemoFailedError`` unless what was to be shown is true."""
    if not condition:
        raise DemoFailedError(what)
