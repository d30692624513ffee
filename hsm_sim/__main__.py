"""The box as a process: ``python -m hsm_sim --home DIR``.

Prints one line, ``ready SOCKET``, once it listens; ends on SIGTERM or SIGINT, or, with
``--stop-with-parent``, when its standard input ends. With unlock files in the home it opens itself
(development); without, it starts locked and waits for three custodians.
"""

import argparse
import asyncio
import logging
import os
import secrets
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from hsm_sim.home import HSMHome
from hsm_sim.interface import HSMError
from hsm_sim.server import Server, ServerLimits, ServerPolicy


def new_loop() -> asyncio.AbstractEventLoop:
    """Take uvloop where it is installed: a lone request takes a third less time."""
    try:
        import uvloop  # noqa: PLC0415  (optional)
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def main(
    arguments: Sequence[str] | None = None,
    *,
    loop_factory: Callable[[], asyncio.AbstractEventLoop] = new_loop,
) -> int:
    """Run the box until it is told to stop. Returns the exit status."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(name)s: %(message)s")
    mask = os.umask(0o077)
    try:
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            runner.run(_serve(options))
    except (HSMError, OSError) as problem:
        sys.stderr.write(f"hsm: {problem}\n")
        return 1
    finally:
        os.umask(mask)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m hsm_sim", description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="folder of the box")
    parser.add_argument("--socket", type=Path, help="socket, when not in the home")
    parser.add_argument(
        "--development",
        action="store_true",
        help="make unlock files when the box is new, so that it opens itself",
    )
    parser.add_argument(
        "--user", type=int, action="append", default=[], help="user id that may use keys"
    )
    parser.add_argument(
        "--manager", type=int, action="append", default=[], help="user id that may also make them"
    )
    parser.add_argument("--rate-per-s", type=float, default=ServerLimits().rate_per_s)
    parser.add_argument("--stop-with-parent", action="store_true", help="stop when stdin ends")
    return parser


async def _serve(options: argparse.Namespace) -> None:
    home = HSMHome(options.home)
    lock = home.take()
    box = home.open_box()
    if options.development and not box.initialised and not home.has_unlock_files():
        home.write_unlock_files(secrets.token_bytes)
    if home.has_unlock_files():
        box.unlock(home.master_of_unlock_files(), actor="unlock files")
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_number, stop.set)
    if options.stop_with_parent:
        loop.add_reader(sys.stdin.fileno(), stop.set)
    users = {**dict.fromkeys(options.user, False), **dict.fromkeys(options.manager, True)}
    limits = ServerLimits(rate_per_s=options.rate_per_s, burst=max(1.0, options.rate_per_s))
    socket_path = options.socket or home.socket_path()
    server = Server(box, socket_path, policy=ServerPolicy(users=users), limits=limits)
    await server.start()
    sys.stdout.write(f"ready {socket_path}\n")
    sys.stdout.flush()
    await stop.wait()
    await server.stop()
    os.close(lock)


if __name__ == "__main__":  # pragma: no cover  (a process of its own)
    sys.exit(main())
