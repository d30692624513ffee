"""The simulated insurer in a process of its own: over HTTP, killed, and started again."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import httpx2
import pytest

from adapters.partners.insurance_gateway import HTTPGateway
from cardcore.ids import new_id
from scenes.hospital.gateway import GatewaySilentError, InsuranceRefusedError
from scenes.hospital.insurer import Cancelled, Insurer
from scenes.hospital.messages import (
    DetailsComparison,
    FeeDetail,
    Settlement,
    SettlementCancelling,
    SettlementQuery,
    VisitRegistration,
)
from scenes.hospital.split import split_of

NOW: Final = datetime(2026, 6, 1, 2, 0, tzinfo=UTC)
HOSPITAL: Final = "H1"


@contextmanager
def insurer_process(home: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    program = "from adapters.cli.main import app; app()"
    process = subprocess.Popen(
        [sys.executable, "-c", program, "insurance", "serve", "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "CARDCORE_HOME": str(home), "COLUMNS": "200"},
        cwd=Path(__file__).parents[3],
    )
    try:
        assert process.stdout is not None
        said = re.search(r"http://\S+", process.stdout.readline())
        assert said is not None
        yield process, said[0]
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def speaker(url: str) -> tuple[httpx2.AsyncClient, Insurer]:
    client = httpx2.AsyncClient(base_url=url, timeout=20)
    return client, Insurer(HTTPGateway(client), clock=lambda: NOW, random_bytes=os.urandom)


async def test_what_was_settled_stays_settled_when_the_insurer_is_killed(tmp_path: Path) -> None:
    with insurer_process(tmp_path) as (process, url):
        client, insurer = speaker(url)
        async with client:
            visit = await insurer.register_visit(
                HOSPITAL,
                VisitRegistration(
                    psn_no="P1",
                    insutype="310",
                    begntime="2026-06-01 10:00:00",
                    mdtrt_cert_no="P1",
                    ipt_otp_no="V1",
                    dept_code="NK",
                    dept_name="NK",
                ),
            )
            fee = FeeDetail(
                feedetl_sn="1",
                mdtrt_id=visit.mdtrt_id,
                psn_no="P1",
                chrg_bchno="B1",
                rxno="1",
                fee_ocur_time="2026-06-01 10:00:00",
                med_list_codg="X1",
                medins_list_codg="X1",
                det_item_fee_sumamt=100_000,
                cnt="1",
                pric=100_000,
                bilg_dept_codg="NK",
            )
            await insurer.send_fees(HOSPITAL, [fee])
            wanted = Settlement(
                psn_no="P1",
                mdtrt_cert_no="P1",
                med_type="11",
                medfee_sumamt=100_000,
                mdtrt_id=visit.mdtrt_id,
                chrg_bchno="B1",
                insutype="310",
            )
            msgid = new_id(NOW, os.urandom).hex
            info = await insurer.settle(HOSPITAL, msgid, wanted)
            again = await insurer.settle(HOSPITAL, msgid, wanted)
            assert info == again
            with pytest.raises(InsuranceRefusedError):
                await insurer.settle(HOSPITAL, "another", wanted)
            process.kill()
            process.wait()
            query = SettlementQuery(psn_no="P1", mdtrt_id=visit.mdtrt_id, chrg_bchno="B1")
            with pytest.raises(GatewaySilentError):
                await insurer.find_settlement(HOSPITAL, query)
    with insurer_process(tmp_path) as (_, url):
        client, insurer = speaker(url)
        async with client:
            assert await insurer.find_settlement(HOSPITAL, query) == info
            cancelling = SettlementCancelling(
                setl_id=info.setl_id, mdtrt_id=visit.mdtrt_id, psn_no="P1"
            )
            settled = split_of(info, sent_fen=100_000)
            for msgid, expected in (("c1", Cancelled.NOW), ("c2", Cancelled.BEFORE)):
                done = await insurer.cancel(
                    HOSPITAL, msgid, cancelling, sent_fen=100_000, settled=settled
                )
                assert done is expected
            assert await insurer.reverse(HOSPITAL, "P1", "never") is Cancelled.NEVER_THERE
            details = DetailsComparison(
                setl_optins="370406",
                stmt_begndate="2026-06-01",
                stmt_enddate="2026-06-01",
                medfee_sumamt=0,
                fund_pay_sumamt=0,
                cash_payamt=0,
                fixmedins_setl_cnt=0,
                startrow=0,
            )
            (row,) = await insurer.details(HOSPITAL, details)
            assert (row.setl_id, row.refd_setl_flag) == (info.setl_id, "1")
            refused = await client.post("/fsi/api/2207", content=b"{}")
            assert refused.status_code == 400
