"""Judging codes in a process beside: the signature of a code would hold this one's interpreter.

One message for all that wait, one back, over a socket. What is few is judged here, and so is
everything while there is no process: before it has come up, and after it has died or gone silent.
"""

import asyncio
import contextlib
import gc
import multiprocessing
import pickle
import signal
from collections import deque
from collections.abc import Sequence
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Final

import codes
from cardcore.user.code_judging import ShownCode, Verdict, judge_codes
from codes.text_form import TEXT_SIZE_MAX

ALONE_MAX: Final = 3
"""So few are not worth a message."""
CODES_MAX: Final = 64
MESSAGES_MAX: Final = 4
STARTS_APART_S: Final = 5.0
SILENCE_MAX_S: Final = 1.0
STOP_TIMEOUT_S: Final = 5.0
_READY: Final = b"ready"
_PICKLE: Final = pickle.HIGHEST_PROTOCOL


class CompanionJudge:
    """Judges in one process of its own, started at the first batch that is worth it.

    A ``CodeJudge``. ``up`` is set while the process answers. What is on its way is bounded, in
    size and number, so that both directions fit into the socket's buffers: neither side ever waits
    for the other to read, not even for one that hangs.
    """

    def __init__(self) -> None:
        self._process: BaseProcess | None = None
        self._line: Connection | None = None
        self.up = asyncio.Event()
        self._start_from_s = 0.0
        self._ring: codes.KeyRing | None = None
        self._asked: deque[asyncio.Future[list[Verdict]]] = deque()
        self._room = asyncio.Semaphore(MESSAGES_MAX)

    @property
    def process_id(self) -> int | None:
        """Of the process that answers now; None while there is none."""
        return None if self._process is None or not self.up.is_set() else self._process.pid

    async def judge(self, shown: Sequence[ShownCode], ring: codes.KeyRing) -> list[Verdict]:
        """See ``CodeJudge``."""
        if len(shown) <= ALONE_MAX or not self._has_line():
            return judge_codes(shown, ring)
        try:
            async with asyncio.timeout(SILENCE_MAX_S):
                if len(shown) <= CODES_MAX:
                    return await self._ask(shown, ring)
                parts = [
                    self._ask(shown[start : start + CODES_MAX], ring)
                    for start in range(0, len(shown), CODES_MAX)
                ]
                return [verdict for part in await asyncio.gather(*parts) for verdict in part]
        except TimeoutError:
            self._hang_up()
        except OSError:  # it has died
            pass
        return judge_codes(shown, ring)

    def close(self) -> None:
        """End the process."""
        self._hang_up()
        self._start_from_s = float("inf")

    def _has_line(self) -> bool:
        """Is the process there to be asked? Starts it where it is not."""
        if self._line is None:
            loop = asyncio.get_running_loop()
            if loop.time() >= self._start_from_s:
                self._start_from_s = loop.time() + STARTS_APART_S
                self._start(loop)
        return self.up.is_set()

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        # Spawned, not forked: this process has threads and open connections.
        context = multiprocessing.get_context("spawn")
        self._line, theirs = context.Pipe()
        self._process = context.Process(
            target=serve, args=(theirs,), name="code-judge", daemon=True
        )
        self._process.start()
        theirs.close()
        loop.add_reader(self._line.fileno(), self._read)

    async def _ask(self, shown: Sequence[ShownCode], ring: codes.KeyRing) -> list[Verdict]:
        async with self._room:
            if self._line is None:
                raise ConnectionResetError("the judge's process has died")
            new_ring = None if ring is self._ring else ring.to_json()
            # A text that is too long for a code stays too long, and the message short.
            plain = [(one[0][: TEXT_SIZE_MAX + 1], *one[1:]) for one in shown]
            self._line.send_bytes(pickle.dumps((new_ring, plain), _PICKLE))
            self._ring = ring
            answer: asyncio.Future[list[Verdict]] = asyncio.get_running_loop().create_future()
            self._asked.append(answer)
            return await answer

    def _read(self) -> None:
        """What the process has sent; where it has died, all who wait are told to do without."""
        assert self._line is not None
        try:
            message = self._line.recv_bytes()
        except (EOFError, OSError):
            self._hang_up()
            return
        if not self.up.is_set():
            assert message == _READY
            self.up.set()
            return
        answer = self._asked.popleft()
        if not answer.done():
            answer.set_result(pickle.loads(message))  # noqa: S301  (from our own process)

    def _hang_up(self) -> None:
        if self._line is None:
            return
        with contextlib.suppress(RuntimeError):  # the loop is closed already
            asyncio.get_event_loop().remove_reader(self._line.fileno())
        self._line.close()
        self._line = self._ring = None
        self.up.clear()
        while self._asked:
            answer = self._asked.popleft()
            if not answer.done():
                answer.set_exception(ConnectionResetError("the judge's process has died"))
        assert self._process is not None
        self._process.kill()  # it holds nothing, and may be beyond listening
        self._process.join(STOP_TIMEOUT_S)
        self._process = None


def serve(line: Connection) -> None:
    """The process: judge what comes until the line is closed."""
    # Ctrl-C goes to all of a terminal's processes; this one ends with the one that asks it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.collect()
    gc.freeze()
    ring = codes.KeyRing([])
    line.send_bytes(_READY)
    while True:
        try:
            new_ring, plain = pickle.loads(line.recv_bytes())  # noqa: S301  (from our own process)
        except (EOFError, OSError):
            return
        if new_ring is not None:
            ring = codes.KeyRing.from_json(new_ring)
        verdicts = judge_codes([ShownCode(*one) for one in plain], ring)
        line.send_bytes(pickle.dumps(verdicts, _PICKLE))
