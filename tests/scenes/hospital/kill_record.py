"""What a long run of kills has done so far: kept in a file, so that it goes on where it stopped."""

import json
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

from tests.scenes.hospital.killing import Fault


@dataclass
class KillRecord:
    """Rounds that ended well, each a city of its own; one that fails is its ``next_seed``."""

    seed: int
    rounds: int = 0
    patients: int = 0
    taken_s: float = 0.0
    met: dict[str, dict[str, int]] = field(default_factory=dict)
    _since: float = field(default_factory=time.monotonic, repr=False)

    @property
    def kills(self) -> int:
        """How many things died."""
        return sum(sum(by_fault.values()) for by_fault in self.met.values())

    @property
    def next_seed(self) -> int:
        """Of the round to come: round after round of one seed is always the same."""
        return self.seed * 1_000_000 + self.rounds

    @classmethod
    def read(cls, path: str | None, *, seed: int) -> Self:
        """The record of a file, or an empty one where there is none. A file keeps its seed."""
        if path is None or not Path(path).exists():
            return cls(seed=seed)
        return cls(**json.loads(Path(path).read_text(encoding="utf-8")))

    def add(self, met: Mapping[tuple[str, str], int], *, patients: int) -> None:
        """One more round has ended well."""
        for (step, fault), count in met.items():
            by_fault = Counter(self.met.get(step, {}))
            by_fault[fault] += count
            self.met[step] = dict(by_fault)
        now = time.monotonic()
        self.taken_s, self._since = self.taken_s + now - self._since, now
        self.rounds += 1
        self.patients += patients

    def write(self, path: str | None) -> None:
        """Keep it; a file that is being written is never half there."""
        if path is None:
            return
        kept = {name: value for name, value in asdict(self).items() if not name.startswith("_")}
        beside = Path(f"{path}.new")
        beside.write_text(json.dumps(kept, indent=1, sort_keys=True), encoding="utf-8")
        beside.replace(path)

    def line(self) -> str:
        """Where it stands."""
        per_s = self.kills / self.taken_s
        return f"round {self.rounds}: {self.kills} kills in {self.patients} lives, {per_s:.1f}/s"

    def table(self) -> str:
        """Which step died of what."""
        rows = [f"| step | {' | '.join(fault.value for fault in Fault)} |", "|---|---|---|---|"]
        for step, by_fault in sorted(self.met.items()):
            counts = " | ".join(str(by_fault.get(fault.value, 0)) for fault in Fault)
            rows.append(f"| {step} | {counts} |")
        return "\n".join(rows)
