"""The walk through a settlement in docs/settlement.md, as it stands there, over HTTP."""

import json
import re
from pathlib import Path
from typing import Any

import httpx2
import pytest
from stdnum.cn import ric
from typing_extensions import override

from cardcore.settlement.check_row import main as check_row
from tests.adapters.platform.conftest import Desk, Web
from tests.adapters.test_parking_walk import Shell, token
from tests.cardcore.settlement.conftest import House, opened_house

DOCUMENT = Path(__file__).parents[3] / "docs" / "settlement.md"
COMMAND = re.compile(r"[A-Z]+=|centre |clerk |supervisor |sleep |\.venv/bin/python ")
TAKEN = "> proof.json"


class Office(Shell):
    """A shell whose operators have cookies, and whose waiting is the worker's work."""

    desks: dict[str, Desk]
    house: House
    folder: Path
    said: str = ""

    @override
    def headers_of(self, who: str) -> dict[str, str]:
        if who in self.desks:
            return {"X-CSRF-Token": self.desks[who].csrf_token}
        return super().headers_of(who)

    @override
    def http_of(self, who: str) -> httpx2.AsyncClient:
        return self.desks[who].http if who in self.desks else super().http_of(who)

    @override
    async def call(self, command: str) -> Any:
        if command.startswith("sleep "):
            await self.house.work(seconds=int(command.split()[1]))
            return await self.house.files.make_due(self.house.clock.now)
        if command.startswith(".venv"):
            arguments = [str(self.folder / "proof.json"), self.values["KEY"]]
            assert check_row(arguments) == 0
            return None
        answer = await super().call(command.removesuffix(TAKEN))
        if command.endswith(TAKEN):
            (self.folder / "proof.json").write_text(json.dumps(answer), encoding="utf-8")
        return answer


async def test_the_walk_in_the_page_goes_as_it_says(
    web: Web, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    block = re.search(r"```sh\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    assert block is not None
    assert all(map(ric.is_valid, re.findall(r'"id_no":"(\w+)"', block[1])))
    http = web.browser()
    values = {
        "CITY": "https://card.example",
        "NOW": web.clock.now.isoformat(),
        "CENTRE": await token(http, "card-centre", web.settings, web.clock),
        "CLERK": "",
        "SUPERVISOR": "",
    }
    office = Office(http, values)
    office.desks = {"clerk": await web.desk("zhang.wei"), "supervisor": await web.desk("li.na")}
    office.house = await opened_house(web.city, web.life, web.clock)
    office.folder = tmp_path
    given = tuple(f"{name}=" for name in values)
    for line in block[1].splitlines():
        if COMMAND.match(line) and not line.startswith(given):
            await office.run(line)
    expected = {"STATE": "settled", "FEE": "2", "PAID": "98", "OPEN": "[]"}
    assert {name: values[name] for name in expected} == expected
    assert "whose signature holds" in capsys.readouterr().out
    assert await office.house.bank_moved() == [98]
    await office.house.assert_covered()
