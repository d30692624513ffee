"""The ways to the world outside: payment channels, the custodian bank and the insurer."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
from psycopg_pool import AsyncConnectionPool

from adapters.first_keys import TOKEN_KEY
from adapters.partners.custodian_bank import SimulatedBank
from adapters.partners.insurance_fund import InsuranceFund
from adapters.partners.insurance_gateway import (
    TIMEOUT_S as INSURANCE_TIMEOUT_S,
)
from adapters.partners.insurance_gateway import HTTPGateway, SimulatedGateway
from adapters.partners.payment_channel import NAME as SIMULATED
from adapters.partners.payment_channel import SimulatedChannel
from adapters.settings import Settings
from cardcore.account.channel import PaymentChannel
from cardcore.connections import RawConnection
from cardcore.ports import Clock
from cardcore.settlement.custodian import CustodianBank
from hsm_sim.interface import HSM
from scenes.hospital.gateway import InsuranceGateway, NoGateway


async def payment_channels(
    pool: AsyncConnectionPool[RawConnection], hsm: HSM, settings: Settings
) -> dict[str, PaymentChannel]:
    """The channels of an installation: the sandbox has one that is simulated."""
    if not settings.sandbox:
        return {}
    simulated = SimulatedChannel(pool, await hsm.mac(TOKEN_KEY, b"simulated payment channel"))
    await simulated.prepare()
    return {SIMULATED: simulated}


async def custodian_bank(
    pool: AsyncConnectionPool[RawConnection], settings: Settings, clock: Clock
) -> CustodianBank | None:
    """The bank that pays merchants: the sandbox has one that is simulated, else there is none."""
    if not settings.sandbox:
        return None
    bank = SimulatedBank(pool, clock)
    await bank.prepare()
    return bank


@asynccontextmanager
async def insurance_gateway(settings: Settings) -> AsyncIterator[InsuranceGateway]:
    """The way to the insurer: over HTTP where one is set, in the sandbox one that is simulated."""
    if settings.insurance_url is not None:
        async with httpx2.AsyncClient(
            base_url=settings.insurance_url, timeout=INSURANCE_TIMEOUT_S
        ) as client:
            yield HTTPGateway(client)
    elif settings.sandbox:
        books = InsuranceFund(settings.home / "insurance.sqlite3")
        try:
            yield SimulatedGateway(books, by_amount=True)
        finally:
            books.close()
    else:
        yield NoGateway()
