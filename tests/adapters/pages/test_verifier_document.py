"""What the document tells makers of validators to do is done here, line by line, with Node."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from adapters.pages.build import WEB, NodeMissingError, find_node
from codes.status_list import StatusList, pack
from codes.terminal_package import make_package
from tests.codes import city

ROOT = Path(__file__).parents[3]
DOCUMENT = ROOT / "docs" / "verifier.md"
VECTORS = ROOT / "docs" / "vectors" / "codes.json"


def lines(language: str, which: int = 0) -> str:
    """One of the document's pieces of code."""
    text = DOCUMENT.read_text(encoding="utf-8")
    found: list[str] = re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return found[which]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A maker's folder with the verifier's in it, and the one file made of that."""
    esbuild = WEB / "node_modules" / ".bin" / "esbuild"
    if not esbuild.exists():
        pytest.skip("esbuild is not installed: run `make setup` where Node 20 is")
    folder = tmp_path_factory.mktemp("maker")
    shutil.copytree(WEB / "src" / "verifier", folder / "verifier")
    tool, *arguments = lines("sh").split()
    assert (tool, arguments[0]) == ("npx", "esbuild")
    subprocess.run([esbuild, *arguments[1:]], cwd=folder, check=True, capture_output=True)
    return folder


def node(folder: Path, name: str, script: str, *arguments: str) -> str:
    """What the script prints."""
    (folder / name).write_text(script, encoding="utf-8")
    try:
        command = [*find_node().command, name, *arguments]
    except NodeMissingError:
        pytest.skip("no Node on this machine")
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout


def test_every_public_vector_is_judged_as_it_should_be(bench: Path) -> None:
    count = len(json.loads(VECTORS.read_text(encoding="utf-8"))["vectors"])
    said = f"{count} of {count} as they should be"
    assert said in DOCUMENT.read_text(encoding="utf-8")
    assert node(bench, "check.mjs", lines("js"), str(VECTORS)) == f"{said}\n"


def test_one_call_opens_for_whom_the_package_lets_in(bench: Path) -> None:
    status = StatusList(
        issuer_id=city.ISSUER_ID,
        version=1,
        issued_at_s=city.NOW_S,
        expires_at_s=city.NOW_S + 86_400,
        ttl_s=300,
        entry_count=100,
        packed=pack({}, 100),
    )
    package = city.run(
        make_package(
            version=1,
            made_at_s=city.NOW_S,
            expires_at_s=city.NOW_S + 86_400,
            blobs={"keys": city.RING.to_json().encode()},
            status_lists={city.ISSUER_ID: status},
            signer=city.document_signer(),
        )
    )
    good = city.code_p()
    altered = good[:-1] + ("0" if good[-1] != "0" else "1")
    for text, said in ((good, "open 0"), (altered, "code_invalid")):
        given = json.dumps(
            {"ring": city.RING.to_json(), "container": package.container().hex(), "text": text}
        )
        around = f"""
            const given = {given};
            const container = Uint8Array.from(Buffer.from(given.container, "hex"));
            const pinnedRing = KeyRing.fromJson(given.ring);
            const [nowS, text] = [{city.NOW_S}, given.text];
            const open = (token, companions) => console.log("open", companions);
            const show = (reason) => console.log(reason);
        """
        assert node(bench, "gate.mjs", around + lines("js", 1)) == f"{said}\n"
