"""docs/fhir.md: its tables are the declarations, its lines run as they stand."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

from typing_extensions import override

from adapters.demo_city import HOSPITAL_SYSTEM
from adapters.fhir.acts import acts_of
from adapters.fhir.capability import FHIR_VERSION
from adapters.fhir.desk import Desk
from adapters.fhir.endpoints import MEDIA_TYPE
from adapters.fhir.kinds import KINDS
from adapters.fhir.search import COUNT_DEFAULT, COUNT_MAX
from tests.adapters.fhir.conftest import URL, Clinic
from tests.adapters.test_parking_walk import Shell, token

DOCUMENT = Path(__file__).parents[3] / "docs" / "fhir.md"
COMMAND = re.compile(r"[A-Z]+=|centre |native |his ")
CODE = re.compile(r"`([^`]+)`")


def rows(after: str) -> list[list[str]]:
    """Cells of the table that follows a line."""
    lines = DOCUMENT.read_text(encoding="utf-8").split(after, 1)[1].splitlines()
    head = next(number for number, line in enumerate(lines) if line.startswith("|---"))
    found = []
    for line in lines[head + 1 :]:
        if not line.startswith("|"):
            break
        found.append([cell.strip() for cell in line.strip("|").split("|")])
    return found


def test_the_tables_are_the_declarations() -> None:
    served = [(name.strip("`"), CODE.findall(by)) for name, _, by in rows("Read (`GET")]
    assert served == [(kind.name, [one.name for one in kind.parameters]) for kind in KINDS]
    told = [
        (path.strip("`"), CODE.findall(taken), given, native.strip("`"))
        for path, taken, given, native in rows("Operations, `POST`")
    ]
    assert told == [
        (act.path[1:], [one.name for one in act.takes], act.gives, act.native)
        for act in acts_of(cast("Desk", None))
    ]
    text = DOCUMENT.read_text(encoding="utf-8")
    assert f"R4B ({FHIR_VERSION})" in text
    assert f"`_count` up to {COUNT_MAX}, {COUNT_DEFAULT} by default" in text


class Speaker(Shell):
    """A shell whose ``his`` says that it speaks FHIR."""

    @override
    async def call(self, command: str) -> Any:
        if command.startswith("his "):
            command += f' -H "Content-Type: {MEDIA_TYPE}"'
        return await super().call(command)


async def test_the_lines_run_as_they_stand(clinic: Clinic) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    block = re.search(r"```sh\n(.*?)```", text, re.DOTALL)
    assert block is not None
    clock = clinic.ward.clock
    his = await token(clinic.http, HOSPITAL_SYSTEM, clinic.settings, clock)
    values = {
        "CITY": URL,
        "CENTRE": await token(clinic.http, "card-centre", clinic.settings, clock),
        "HIS": his,
        "NATIVE": his,
        "DAY": (clock.now + timedelta(days=1)).date().isoformat(),
    }
    shell = Speaker(clinic.http, values)
    given = tuple(f"{name}=" for name in values)
    lines = [line for line in block[1].splitlines() if COMMAND.match(line)]
    assert len(lines) > 20
    for line in lines:
        if not line.startswith(given):
            await shell.run(line)
    assert (values["ARRIVED"], values["CALLED"]) == ("checked-in", "arrived")
    for name in ("PAID", "INSURER", "BACK", "LEFT"):
        assert f"`${name}` {'is ' if name == 'PAID' else ''}`{values[name]}`" in text
