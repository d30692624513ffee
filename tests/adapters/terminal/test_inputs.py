"""Three ways a scan comes in: typed by a scanner, photographed, asked for on this machine."""

import json
import os
import socket
from collections.abc import Iterator
from http.client import HTTPConnection, RemoteDisconnected
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from PIL import Image

from adapters.terminal import input_images
from adapters.terminal.input_http import BODY_SIZE_MAX, CALLERS_MAX, ScanServer
from adapters.terminal.input_images import feed_from_images, pictures, read_image
from adapters.terminal.input_stdin import LINE_SIZE_MAX, feed_from_stdin, read_lines
from codes import qr

TEXT = "M1:ABC 123"


# Lines


def lines_of(data: bytes) -> list[str]:
    """What is read from a pipe that holds ``data`` and is closed."""
    reader, writer = os.pipe()

    def feed() -> None:
        with os.fdopen(writer, "wb") as stream:
            stream.write(data)

    feeder = Thread(target=feed)
    feeder.start()
    try:
        return list(read_lines(reader, Event()))
    finally:
        feeder.join()
        os.close(reader)


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"", []),
        (b"M1:A\nM1:B\n", ["M1:A", "M1:B"]),
        (b"M1:A\r\n\r\n \n\tM1:B\r\n", ["M1:A", "M1:B"]),
        (b"M1:A", ["M1:A"]),
        ("码\n".encode(), ["\ufffd" * 3]),
    ],
)
def test_a_line_is_a_scan(data: bytes, lines: list[str]) -> None:
    assert lines_of(data) == lines


def test_a_line_without_end_is_cut_once_and_the_next_is_whole() -> None:
    lines = lines_of(b"x" * 200_000 + b"\nM1:A\n" + b"y" * (LINE_SIZE_MAX + 5) + b"\nM1:B\n")
    assert [line[:4] for line in lines] == ["xxxx", "M1:A", "yyyy", "M1:B"]
    assert max(map(len, lines)) == LINE_SIZE_MAX + 1


def test_reading_lines_ends_when_told_to_stop() -> None:
    reader, writer = os.pipe()
    stop = Event()
    scanned: list[str] = []
    thread = Thread(target=feed_from_stdin, args=(reader, scanned.append, stop))
    thread.start()
    os.write(writer, b"M1:A\nM1:no end yet")
    stop.set()
    thread.join(10)
    assert not thread.is_alive()
    assert scanned in ([], ["M1:A"])
    os.close(reader)
    os.close(writer)


# Pictures


def draw(file: Path, text: str = TEXT) -> Path:
    rows = qr.modules(text)
    picture = qr.image(rows, 4)
    picture.save(file)
    return file


@pytest.mark.parametrize("name", ["scan.png", "scan.jpg", "scan.JPEG"])
def test_a_picture_is_read(tmp_path: Path, name: str) -> None:
    assert read_image(draw(tmp_path / name)) == TEXT


def test_our_code_is_taken_before_another_in_the_same_picture(tmp_path: Path) -> None:
    other, ours = (
        Image.open(draw(tmp_path / "a.png", "HTTPS://X")),
        Image.open(draw(tmp_path / "b.png")),
    )
    both = Image.new("L", (other.width + ours.width, max(other.height, ours.height)), 255)
    both.paste(other, (0, 0))
    both.paste(ours, (other.width, 0))
    both.save(tmp_path / "both.png")
    assert read_image(tmp_path / "both.png") == TEXT


def test_what_is_no_picture_of_a_code_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blank, broken = tmp_path / "blank.png", tmp_path / "broken.png"
    Image.new("L", (50, 50), 255).save(blank)
    broken.write_bytes(draw(tmp_path / "whole.png").read_bytes()[:90])
    bitmap = tmp_path / "scan.bmp"
    draw(bitmap)
    for file in (blank, broken, bitmap, tmp_path / "missing.png"):
        assert read_image(file) is None
    whole = tmp_path / "whole.png"
    monkeypatch.setattr(input_images, "PIXELS_MAX", 10)
    assert read_image(whole) is None
    monkeypatch.setattr(input_images, "FILE_SIZE_MAX", 10)
    assert read_image(whole) is None


def test_files_are_taken_once_each_and_then_it_ends(tmp_path: Path) -> None:
    files = [draw(tmp_path / "a.png"), tmp_path / "nothing.png"]
    scanned: list[str | None] = []
    feed_from_images(files, scanned.append, Event())
    assert scanned == [TEXT, None]


def test_a_folder_is_watched_and_a_picture_taken_when_it_is_complete(tmp_path: Path) -> None:
    stop = Event()
    draw(tmp_path / "first.png")
    (tmp_path / "notes.txt").write_text("no picture")
    seen = pictures([tmp_path], stop)
    assert next(seen).name == "first.png"
    draw(tmp_path / "second.png")
    assert next(seen).name == "second.png"
    draw(tmp_path / "first.png", "M1:NEW")
    assert next(seen).name == "first.png", "written anew is new"
    stop.set()
    assert list(seen) == []


# Loopback


@pytest.fixture
def port() -> Iterator[int]:
    server = ScanServer(0, lambda text: {"scanned": text})
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()
    thread.join()


def ask(
    port: int, body: bytes | str, *, path: str = "/scan", method: str = "POST", **headers: str
) -> tuple[int, dict[str, Any]]:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    sent = {"Content-Type": "application/json"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    connection.request(method, path, body, sent)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, json.loads(content) if content.startswith(b"{") else {}


def test_a_scan_is_answered_by_its_decision(port: int) -> None:
    assert ask(port, '{"text": "M1:A"}') == (200, {"scanned": "M1:A"})


@pytest.mark.parametrize(
    ("body", "more", "status"),
    [
        ("{}", {"path": "/other"}, 404),
        ("{}", {"Host": "card.example"}, 421),
        ("{}", {"Content_Type": "text/plain"}, 415),
        ("{}", {}, 422),
        ("[]", {}, 422),
        ('{"text": 5}', {}, 422),
        ("{", {}, 422),
        ("[" * 5000, {}, 422),
        (b"\xff", {}, 422),
        ("x" * (BODY_SIZE_MAX + 1), {}, 413),
        ("{}", {"Content_Length": "9" * 30}, 413),
        ("{}", {"Content_Length": "-1"}, 411),
        ("", {"method": "GET"}, 501),
    ],
)
def test_what_is_no_scan_is_refused(
    port: int, body: bytes | str, more: dict[str, str], status: int
) -> None:
    assert ask(port, body, **more)[0] == status
    assert ask(port, '{"text": "M1:A"}')[0] == 200


def test_nobody_but_this_machine_is_listened_to(port: int) -> None:
    with socket.socket() as probe:
        probe.settimeout(2)
        assert probe.connect_ex(("127.0.0.2", port)) != 0


def test_callers_that_hang_on_take_a_bounded_number_of_places(port: int) -> None:
    """How: more connections than places, none of which says a word; the last are hung up on."""
    silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(CALLERS_MAX + 3)]
    hung_up = 0
    for one in silent:
        one.settimeout(0.2)
        try:
            hung_up += one.recv(1) == b""
        except TimeoutError:
            continue
    assert hung_up >= 3
    for one in silent:
        one.close()


def test_a_bug_behind_the_door_is_told_and_the_door_stays_open(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def broken(text: str) -> dict[str, Any]:
        if text == "bug":
            raise LookupError("a bug")
        return {}

    server = ScanServer(0, broken)
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    with pytest.raises(RemoteDisconnected):
        ask(server.server_port, '{"text": "bug"}')
    assert ask(server.server_port, '{"text": "fine"}') == (200, {})
    server.shutdown()
    server.server_close()
    thread.join()
    assert "LookupError: a bug" in capsys.readouterr().err
