"""The agent at work: scans in, decisions out, the uplink beside it.

One thread for each input and one for the uplink; the decision itself is one at a time. The agent
ends when its inputs have ended or it is told to stop, and then tries once to send what waits.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from random import SystemRandom
from threading import Event, Semaphore, Thread
from typing import Any, Final

import httpx2

from adapters.terminal.backoff import Backoff
from adapters.terminal.clock import TerminalClock
from adapters.terminal.decision import Outcome, Station, Validator
from adapters.terminal.display import Display, Words, as_event
from adapters.terminal.enrolment import Enrolment, read_enrolment, read_own_key
from adapters.terminal.fares import FlatAmount
from adapters.terminal.home import TerminalHome
from adapters.terminal.input_http import ScanServer
from adapters.terminal.input_images import feed_from_images
from adapters.terminal.input_stdin import feed_from_stdin
from adapters.terminal.journal import Journal, opened
from adapters.terminal.key import TerminalKey
from adapters.terminal.package_store import PackageStore
from adapters.terminal.progress import UNWATCHED, Progress, Step
from adapters.terminal.record_queue import RecordQueue, chain_end, unsent_count
from adapters.terminal.server import TerminalServer, http_client
from adapters.terminal.uplink import Uplink, UplinkParts
from codes import Scope
from codes.validator_record import Place

_STARTED: Final = Words("终端已启动", "terminal started")
_JUMPED: Final = Words("终端时钟发生跳变", "this terminal's clock jumped")
_LISTENING: Final = Words("等待本机扫码请求", "listening for scans on this machine")
STDIN: Final = 0
PLACE_SIZE_MAX: Final = 255
_LOOK_UP_S: Final = 0.1
# Scenes where a person is let in and nothing is paid.
_IDENTITY_SCENES: Final = frozenset({"community"})


class SceneNotOfflineError(Exception):
    """Codes have no bit for the terminal's scene; such a terminal works online."""

    code = "scene_not_offline"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What ``cardcore terminal run`` was told; empty place names are those of the enrolment."""

    line_id: str = ""
    stop_id: str = ""
    vehicle_id: str = ""
    gate_id: str = ""
    amount_fen: int | None = None
    offline: bool = False
    stdin: bool = False
    images: tuple[Path, ...] = ()
    http_port: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the agent takes from outside: clocks, randomness, and who watches its steps."""

    wall_s: Callable[[], float] = time.time
    steady_s: Callable[[], float] = time.monotonic
    random_bytes: Callable[[int], bytes] = os.urandom
    random: Callable[[], float] = field(default_factory=lambda: SystemRandom().random)
    progress: Progress = UNWATCHED


class PlaceInvalidError(Exception):
    """A name of the place does not fit into a record."""

    code = "place_invalid"


def station_of(enrolment: Enrolment, options: Options) -> Station:
    """Where this terminal stands. Raises ``SceneNotOfflineError``, ``PlaceInvalidError``."""
    if enrolment.scene.upper() not in Scope.__members__:
        raise SceneNotOfflineError(f"no code can be judged offline for scene {enrolment.scene!r}")
    place = {name: str(value) for name, value in enrolment.place.items()}
    at = Place(
        terminal_id=enrolment.terminal_id,
        line_id=options.line_id or place.get("line", ""),
        stop_id=options.stop_id or place.get("stop", ""),
        vehicle_id=options.vehicle_id or place.get("vehicle", ""),
        gate_id=options.gate_id or place.get("gate", "") or place.get("door", ""),
    )
    for name, value in asdict(at).items():
        if len(value.encode()) > PLACE_SIZE_MAX:
            raise PlaceInvalidError(f"{name} is longer than {PLACE_SIZE_MAX} bytes")
    return Station(
        place=at,
        scene=Scope[enrolment.scene.upper()],
        issuer_id=enrolment.issuer_id,
        kid=enrolment.kid,
        pays=enrolment.scene not in _IDENTITY_SCENES,
        flat=None if options.amount_fen is None else FlatAmount(options.amount_fen),
        merchant_id=enrolment.merchant_id,
    )


class Agent:
    """An open terminal; see ``open_agent``."""

    def __init__(
        self,
        *,
        validator: Validator,
        uplink: Uplink | None,
        display: Display,
        journal: Journal,
        clock: TerminalClock,
        wake: Event,
    ) -> None:
        self.validator = validator
        self.uplink = uplink
        self._display = display
        self._journal = journal
        self._clock = clock
        self._wake = wake
        self._stopping = Event()
        self._over = Event()
        self._faults: list[Exception] = []

    def scan(self, text: str | None) -> Outcome:
        """Judge, write down, show. None is a picture nobody could read."""
        jumped_s = self._clock.jump_s()
        if jumped_s:
            self._display.notice("clock_jumped", _JUMPED, jumped_s=round(jumped_s))
        if text is None:
            at_ms = self._clock.now_ms()
            outcome = Outcome(reason="not_read", amount_fen=0, occurred_at_ms=at_ms)
        else:
            outcome = self.validator.decide(text)
        self._display.show(outcome)
        self._journal.progress.reached(Step.SHOWN)
        return outcome

    def stop(self) -> None:
        """Let ``run`` end; may be called from a signal handler or another thread."""
        self._stopping.set()
        self._wake.set()
        self._over.set()

    def run(self, options: Options) -> None:
        """Serve the inputs until they end or ``stop`` is called, then send what waits, once.

        Raises:
            OSError: the port for scans is taken, or an input broke.
        Exception: whatever else a thread ended with; the journal is in order all the same.
        """
        with ExitStack() as stack:
            stack.callback(self.stop)
            inputs = self._inputs(options, stack)
            waiting = Semaphore(0)
            threads = [Thread(target=self._feed, args=(feed, waiting)) for feed in inputs]
            if self.uplink is not None:
                send = partial(self.uplink.run, self._stopping, self._wake)
                threads.append(Thread(target=self._feed, args=(send, Semaphore(0))))
            for thread in threads:
                thread.start()
                stack.callback(thread.join)
            stack.callback(self.stop)
            Thread(target=self._end_after, args=(len(inputs), waiting)).start()
            self._over.wait()
        for fault in self._faults:
            raise fault
        if self.uplink is not None:
            self.uplink.drain()

    def _feed(self, feed: Callable[[], None], ended: Semaphore) -> None:
        """Run one thread's work. A fault ends the agent: half an agent looks like a whole one."""
        try:
            feed()
        except Exception as fault:  # noqa: BLE001  (told by ``run``, which the thread cannot reach)
            self._faults.append(fault)
            self._over.set()
        finally:
            ended.release()

    def _end_after(self, count: int, ended: Semaphore) -> None:
        for _ in range(count):
            ended.acquire()
        self._over.set()

    def _inputs(self, options: Options, stack: ExitStack) -> list[Callable[[], None]]:
        """What each input's thread does; all end when told to stop."""
        inputs: list[Callable[[], None]] = []
        if options.stdin:
            inputs.append(partial(feed_from_stdin, STDIN, self.scan, self._stopping))
        if options.images:
            paths = list(options.images)
            inputs.append(partial(feed_from_images, paths, self.scan, self._stopping))
        if options.http_port is not None:
            server = ScanServer(options.http_port, self._scan_for_http)
            stack.callback(server.server_close)
            self._display.notice("listening", _LISTENING, port=server.server_port)
            inputs.append(partial(self._serve, server))
        return inputs

    def _serve(self, server: ScanServer) -> None:
        serving = Thread(target=server.serve_forever, args=(_LOOK_UP_S,))
        serving.start()
        self._stopping.wait()
        server.shutdown()
        serving.join()

    def _scan_for_http(self, text: str) -> dict[str, Any]:
        return as_event(self.scan(text))


@contextmanager
def open_agent(
    home: TerminalHome, display: Display, options: Options, around: Surroundings
) -> Iterator[Agent]:
    """Everything built and the last state announced; closed at the end.

    Raises:
        EnrolmentError, KeyUnreadableError, HomeInUseError, JournalError, SceneNotOfflineError,
        PlaceInvalidError, ServerURLError: it cannot start; ``code`` says why.
    """
    enrolment = read_enrolment(home)
    key = read_own_key(home, enrolment)
    with ExitStack() as stack:
        journal = stack.enter_context(locked_journal(home, around.progress))
        clock = TerminalClock(around.wall_s, around.steady_s, int(journal.fact("floor_s") or 0))
        store = PackageStore(home, enrolment.pinned_ring)
        wake = Event()
        validator = Validator(
            station_of(enrolment, options),
            key=key,
            store=store,
            journal=journal,
            clock=clock,
            random_bytes=around.random_bytes,
            on_record=wake.set,
        )
        uplink = None
        if not options.offline:
            http = stack.enter_context(http_client(enrolment.server_url, enrolment.ca_file))
            queue = RecordQueue(journal)
            queue.requeue_held()
            uplink = Uplink(
                UplinkParts(
                    server=_server(http, enrolment, key, clock),
                    queue=queue,
                    store=store,
                    journal=journal,
                    clock=clock,
                    display=display,
                    backoff=Backoff(around.random),
                    steady_s=around.steady_s,
                    issuer_id=enrolment.issuer_id,
                )
            )
        _announce(display, journal, store, enrolment)
        yield Agent(
            validator=validator,
            uplink=uplink,
            display=display,
            journal=journal,
            clock=clock,
            wake=wake,
        )


@contextmanager
def locked_journal(home: TerminalHome, progress: Progress = UNWATCHED) -> Iterator[Journal]:
    """The journal, for this process alone. Raises ``HomeInUseError``, ``JournalError``."""
    with home.locked(), opened(home.journal_file, progress) as journal:
        yield journal


def _server(
    http: httpx2.Client, enrolment: Enrolment, key: TerminalKey, clock: TerminalClock
) -> TerminalServer:
    return TerminalServer(
        http,
        client_id=enrolment.client_id,
        token_url=enrolment.token_url,
        key=key,
        now=lambda: datetime.fromtimestamp(clock.now_ms() / 1000, UTC),
    )


def _announce(
    display: Display, journal: Journal, store: PackageStore, enrolment: Enrolment
) -> None:
    """Tell where the terminal continues: after a power cut, which decision was the last."""
    with journal.reading() as connection:
        end = chain_end(connection, enrolment.kid)
        waiting = unsent_count(connection)
    held = store.current
    display.notice(
        "started",
        _STARTED,
        terminal_id=enrolment.terminal_id,
        sequence_no=end.sequence_no,
        waiting=waiting,
        package_version=0 if held is None else held.version,
    )
