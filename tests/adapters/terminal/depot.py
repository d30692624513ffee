"""A terminal in a test: its folder, its clock, its screen."""

import io
import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from adapters.terminal.agent import Agent, Options, Surroundings, open_agent
from adapters.terminal.display import Display
from adapters.terminal.enrolment import Enrolment, enrol
from adapters.terminal.home import TerminalHome
from adapters.terminal.journal import opened
from adapters.terminal.progress import UNWATCHED, Progress
from adapters.terminal.server import Server, http_client
from codes import Algorithm
from codes.validator_record import ValidatorRecord, read_record
from tests.adapters.terminal.fake_server import CODE, TERMINAL, FakeServer

FARE_FEN = 200


@dataclass
class Depot:
    """Makes agents on one folder; time stands still unless a test moves it."""

    folder: Path
    fake: FakeServer
    now_s: float = 1_790_000_000.0
    steady: float = 0.0
    screen: io.StringIO = field(default_factory=io.StringIO)
    progress: Progress = UNWATCHED
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self.fake.wall_s = lambda: self.now_s

    @property
    def now(self) -> int:
        return int(self.now_s)

    def wait(self, seconds: float) -> None:
        """Let both clocks run."""
        self.now_s += seconds
        self.steady += seconds

    def home(self) -> TerminalHome:
        return TerminalHome(self.folder, self.progress)

    def enrol(
        self,
        code: str = CODE,
        algorithm: Algorithm = Algorithm.ED25519,
        terminal_id: str = TERMINAL,
    ) -> Enrolment:
        with http_client(self.fake.url) as http:
            return enrol(
                self.home(),
                Server(http),
                server_url=self.fake.url,
                terminal_id=terminal_id,
                activation_code=code,
                algorithm=algorithm,
            )

    @contextmanager
    def agent(self, **options: Any) -> Iterator[Agent]:  # noqa: ANN401  (any option)
        """An open agent that shows its events in ``screen``, with the flat fare by default."""
        around = Surroundings(
            wall_s=lambda: self.now_s,
            steady_s=lambda: self.steady,
            random_bytes=lambda size: next(self._numbers).to_bytes(size, "big"),
            random=lambda: 0.0,
            progress=self.progress,
        )
        chosen = Options(**{"amount_fen": FARE_FEN, **options})
        display = Display(self.screen, as_json=True)
        with open_agent(self.home(), display, chosen, around) as agent:
            yield agent

    @contextmanager
    def ready(self, **options: Any) -> Iterator[Agent]:  # noqa: ANN401  (any option)
        """Enrolled, with a package pulled."""
        if not self.fake.keys:
            self.enrol()
            self.fake.publish()
        with self.agent(**options) as agent:
            if agent.uplink is not None:
                agent.uplink.turn()
            yield agent

    def events(self, name: str | None = None) -> list[dict[str, Any]]:
        """What the screen showed so far."""
        shown = [json.loads(line) for line in self.screen.getvalue().splitlines()]
        return [event for event in shown if name is None or event["event"] == name]

    def records(self) -> list[ValidatorRecord]:
        """All records in the journal, in order."""
        with opened(self.home().journal_file) as journal, journal.reading() as connection:
            rows = connection.execute("SELECT data FROM record ORDER BY number").fetchall()
        return [read_record(row[0]) for row in rows]
