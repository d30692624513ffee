"""The box as a process: start, attach, restart, and ``kill -9`` at any moment."""

import asyncio
import os
import secrets
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hsm_sim import __main__ as program
from hsm_sim.audit import read_lines, verify_lines
from hsm_sim.ceremony import ComponentInvalidError
from hsm_sim.client import HSMClient
from hsm_sim.home import HomeInvalidError, HSMHome, find_socket
from hsm_sim.interface import Algorithm, HSMUnavailableError, KeyUsage
from hsm_sim.process import HSMProcess


async def test_keys_survive_a_kill_and_the_client_comes_back(tmp_path: Path) -> None:
    """Why: whatever was answered must be there after a power cut; the rest may or may not."""
    process = HSMProcess(tmp_path / "hsm")
    answered: set[str] = set()
    async with HSMClient(process.socket_path, name="test") as client:
        for life in range(3):
            process.start()
            found = {info.label for info in await client.list_keys()}
            assert answered <= found
            tasks = [
                asyncio.ensure_future(client.generate(f"{life}/{n}", Algorithm.P256, KeyUsage.SIGN))
                for n in range(40)
            ]
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            assert done
            process.kill()
            for number, result in enumerate(await asyncio.gather(*tasks, return_exceptions=True)):
                if not isinstance(result, BaseException):
                    answered.add(f"{life}/{number}")
                else:
                    assert isinstance(result, HSMUnavailableError)
        process.start()
        assert answered
        for label in answered:
            await client.verify(label, b"m", await client.sign(label, b"m"))
        await client.verify_audit()
    process.stop()
    verify_lines(read_lines(HSMHome(tmp_path / "hsm").audit_path))


async def test_a_second_owner_attaches_and_leaves_the_box_alone(tmp_path: Path) -> None:
    with HSMProcess(tmp_path / "hsm") as first:
        first.start()  # already there: nothing happens
        second = HSMProcess(tmp_path / "hsm")
        with second:
            assert second.pid is None
        async with HSMClient(first.socket_path) as client:
            assert (await client.status()).process_id == first.pid


OWNER = """
import pathlib, sys
from hsm_sim.process import HSMProcess
process = HSMProcess(pathlib.Path(sys.argv[1]))
process.start()
print(process.pid, flush=True)
sys.stdin.read()
"""


async def test_the_box_stops_when_its_owner_dies(tmp_path: Path) -> None:
    """Why: an orphaned box would keep keys in memory that nobody watches."""
    owner = await asyncio.create_subprocess_exec(
        sys.executable, "-c", OWNER, str(tmp_path / "hsm"),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert owner.stdout is not None
    watch = os.pidfd_open(int(await owner.stdout.readline()))
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(watch, ended.set)
    owner.kill()
    await owner.wait()
    await asyncio.wait_for(ended.wait(), 20)
    asyncio.get_running_loop().remove_reader(watch)
    os.close(watch)
    lines = list(read_lines(tmp_path / "hsm" / "audit.log"))
    assert b'"action":"seal"' in lines[-1]  # it locked itself in order


def test_a_box_that_cannot_start_says_why(tmp_path: Path) -> None:
    home = tmp_path / "hsm"
    with HSMProcess(home):
        pass
    (home / "audit.log").write_bytes(b"nonsense\n")
    with pytest.raises(HSMUnavailableError, match="audit entry 1"):
        HSMProcess(home).start()


def test_a_process_that_says_something_else_is_not_ready(tmp_path: Path) -> None:
    with pytest.raises(HSMUnavailableError, match="did not start"):
        HSMProcess(tmp_path / "hsm", arguments=("--help",)).start()


async def test_without_unlock_files_the_box_waits_for_its_custodians(tmp_path: Path) -> None:
    with HSMProcess(tmp_path / "hsm", development=False) as process:
        async with HSMClient(process.socket_path) as client:
            assert not (await client.status()).unlocked
    assert not (tmp_path / "hsm" / "unlock").exists()


def test_the_home_is_private_and_its_files_too(tmp_path: Path) -> None:
    with HSMProcess(tmp_path / "hsm"):
        pass
    assert (tmp_path / "hsm").stat().st_mode & 0o777 == 0o700
    for path in (tmp_path / "hsm").rglob("*"):
        if path.name != "hsm.log":
            assert path.stat().st_mode & 0o077 == 0, path
    names = sorted(path.name for path in (tmp_path / "hsm" / "unlock").iterdir())
    assert names == ["component-1", "component-2", "component-3"]


def test_a_home_others_can_write_to_is_refused(tmp_path: Path) -> None:
    home = tmp_path / "hsm"
    home.mkdir()
    home.chmod(0o777)
    with pytest.raises(HomeInvalidError, match="writable by nobody else"):
        HSMHome(home)


def test_a_home_has_one_process(tmp_path: Path) -> None:
    home = HSMHome(tmp_path / "hsm")
    lock = home.take()
    with pytest.raises(HomeInvalidError, match="another process"):
        home.take()
    os.close(lock)
    os.close(home.take())


def test_a_long_path_gets_a_short_socket_known_to_all(tmp_path: Path) -> None:
    path = tmp_path / ("long" * 30)
    first = HSMHome(path).socket_path()
    assert len(str(first)) < 100
    assert HSMHome(path).socket_path() == find_socket(path) == first
    first.parent.rmdir()  # as a clean-up of temporary files does
    second = HSMHome(path).socket_path()
    assert second.parent.is_dir()
    assert find_socket(path) == second
    second.parent.rmdir()


def test_unlock_files_are_checked_before_they_are_used(tmp_path: Path) -> None:
    home = HSMHome(tmp_path / "hsm")
    assert not home.has_unlock_files()
    home.write_unlock_files(secrets.token_bytes)
    master = home.master_of_unlock_files()
    assert len(master) == 32
    with pytest.raises(HomeInvalidError, match="exists"):
        home.write_unlock_files(secrets.token_bytes)
    third = home.unlock_path / "component-3"
    third.chmod(0o644)
    with pytest.raises(HomeInvalidError, match="alone"):
        home.master_of_unlock_files()
    third.chmod(0o600)
    third.write_text(third.read_text().replace("/", "/ 00"))
    with pytest.raises(ComponentInvalidError):
        home.master_of_unlock_files()
    third.unlink()
    with pytest.raises(HomeInvalidError, match="cannot be read"):
        home.master_of_unlock_files()


def test_the_program_runs_until_its_input_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reading, writing = os.pipe()
    os.close(writing)
    with os.fdopen(reading) as ended:
        monkeypatch.setattr(sys, "stdin", ended)
        home = str(tmp_path / "hsm")
        arguments = ["--home", home, "--development", "--user", "12345", "--stop-with-parent"]
        for _ in range(2):  # a new box, then the same again
            assert program.main(arguments, loop_factory=asyncio.new_event_loop) == 0
    assert capsys.readouterr().out.startswith("ready ")
    verify_lines(read_lines(tmp_path / "hsm" / "audit.log"))


def test_the_program_runs_locked_until_it_is_told_to_stop(tmp_path: Path) -> None:
    """How: the signal comes in the loop's second round, when the handler is in its place."""

    def loop_with_a_signal() -> asyncio.AbstractEventLoop:
        loop = asyncio.new_event_loop()
        loop.call_soon(loop.call_soon, os.kill, os.getpid(), signal.SIGTERM)
        return loop

    assert program.main(["--home", str(tmp_path / "hsm")], loop_factory=loop_with_a_signal) == 0
    assert not (tmp_path / "hsm" / "keys.sealed").exists()


@pytest.mark.parametrize("present", [True, False])
def test_the_faster_loop_is_taken_where_it_is_installed(
    monkeypatch: pytest.MonkeyPatch, *, present: bool
) -> None:
    if not present:
        monkeypatch.setitem(sys.modules, "uvloop", None)
    loop = program.new_loop()
    assert type(loop).__module__.startswith("uvloop") == present
    loop.close()


def test_a_box_that_does_not_stop_is_killed(tmp_path: Path) -> None:
    process = HSMProcess(tmp_path / "hsm", stop_timeout_s=0.1)
    process.start()
    pid = process.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)  # it hears no SIGTERM now
    process.stop()
    assert process.pid is None
    process.stop()  # nothing to stop is nothing


def test_a_box_that_stays_silent_is_given_up(tmp_path: Path) -> None:
    process = HSMProcess(tmp_path / "hsm", start_timeout_s=0.0)
    with pytest.raises(HSMUnavailableError, match="no word"):
        process.start()
    assert process.pid is None


def test_the_program_tells_why_it_cannot_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = HSMHome(tmp_path / "hsm")
    lock = home.take()
    assert program.main(["--home", str(tmp_path / "hsm")]) == 1
    assert "another process" in capsys.readouterr().err
    os.close(lock)
