"""An agent that loses power at a given step, in a process of its own."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path

from adapters.terminal.agent import Options, Surroundings, open_agent
from adapters.terminal.display import Display
from adapters.terminal.home import TerminalHome
from adapters.terminal.progress import Step

FARE_FEN = 200


@dataclass
class PowerCut:
    """Kills the process when the ``at``-th step is reached; 0 = never."""

    at: int
    seen: int = 0

    def reached(self, step: Step) -> None:
        """See ``Progress``."""
        self.seen += 1
        if self.seen == self.at:
            os.kill(os.getpid(), signal.SIGKILL)


def live(folder: Path, screen: Path, texts: list[str], cut_at: int) -> None:
    """Pull the package, take each text and send its record at once, until done or dead."""
    cut = PowerCut(cut_at)
    options = Options(amount_fen=FARE_FEN)
    with (
        screen.open("a", encoding="utf-8") as out,
        open_agent(
            TerminalHome(folder, cut),
            Display(out, as_json=True),
            options,
            Surroundings(progress=cut),
        ) as agent,
    ):
        assert agent.uplink is not None
        agent.uplink.turn()
        for text in texts:
            agent.scan(text)
            agent.uplink.turn()
            agent.uplink.turn()
        agent.uplink.drain()
