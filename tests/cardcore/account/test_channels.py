"""Top-ups and withdrawals: credited once, paid once, whatever the channel does to us."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest

from adapters.infrastructure import Addresses
from adapters.partners.payment_channel import NAME, Behaviour, SimulatedChannel
from adapters.settings import Settings
from adapters.wiring import open_city
from cardcore.account.channel import ChannelSignatureError, ChannelState, ChannelUnknownError
from cardcore.account.request import CustodyQuery, TopUpIntentRequest, WithdrawalRequest
from cardcore.account.views import TopUpIntentView, WithdrawalView
from cardcore.errors import (
    FundUnknownError,
    InsufficientBalanceError,
    LimitExceededError,
    NotFoundError,
    ObligationsOpenError,
    OrderConflictError,
)
from cardcore.user.people_request import CloseRequest
from tests.cardcore.account.conftest import Funding, key
from tests.city_life import CENTRE, Life
from tests.conftest import CityClock


class Wallet(Funding):
    """A city with a channel, and what a test does with it."""

    channel: SimulatedChannel

    async def intend(self, user_id: UUID, amount_fen: int = 1_000) -> TopUpIntentView:
        request = TopUpIntentRequest(fund="purse", amount_fen=amount_fen, channel=NAME)
        made, _ = await self.city.core.intend_top_up(CENTRE, user_id, request, key())
        assert made.status == "open"
        return await self.city.core.read_top_up(CENTRE, made.intent_id)

    async def withdraw(self, user_id: UUID, amount_fen: int = 400) -> WithdrawalView:
        request = WithdrawalRequest(
            fund="purse", amount_fen=amount_fen, channel=NAME, payee="6222 0210 0100 0000"
        )
        made, _ = await self.city.core.withdraw(CENTRE, user_id, request, key())
        assert made.status == "held"
        return await self.city.core.read_withdrawal(CENTRE, made.withdrawal_id)

    async def ask(self, **later: float) -> int:
        """The worker's duty, some time later."""
        self.clock.advance(**later or {"minutes": 2})
        return await self.city.core.channel_money.ask_due(self.clock.now)

    async def purse(self, user_id: UUID) -> tuple[int, int]:
        """Balance and what may be spent of it."""
        user = await self.city.core.read_user(CENTRE, user_id)
        (fund,) = user.funds
        return fund.balance_fen, fund.available_fen

    async def moved(self) -> int:
        """How many movements the channel has made."""
        async with self.city.pool.connection() as connection:
            found = await connection.execute(
                "SELECT count(*) FROM channel_simulator.movement WHERE state = 'paid'"
            )
            row = await found.fetchone()
        assert row is not None
        return int(row[0])

    async def assert_covered(self) -> None:
        """The books are right, and the bank holds what it must cover."""
        await self.assert_books_are_right()
        today = CustodyQuery(on=self.clock.now.date())
        assert (await self.city.core.custody(CENTRE, today)).ok


@pytest.fixture
async def wallet(
    city_addresses: Addresses, city_settings: Settings, city_clock: CityClock
) -> AsyncIterator[Wallet]:
    """A city with a simulated channel."""
    channels: dict[str, SimulatedChannel] = {}
    async with open_city(
        city_addresses, city_settings, clock=city_clock, channels=channels
    ) as city:
        channels[NAME] = SimulatedChannel(city.pool, b"k" * 32)
        await channels[NAME].prepare()
        opened = Wallet(city, Life(city, city_clock), city_clock)
        opened.channel = channels[NAME]
        yield opened


@pytest.fixture
async def user_id(wallet: Wallet) -> UUID:
    """Somebody with 1,000 fen in a purse."""
    return await wallet.life.person(funds=("purse",), balance_fen=1_000)


# -- top-ups -------------------------------------------------------------------------------------


async def test_a_top_up_the_channel_pays_at_once_is_credited(wallet: Wallet, user_id: UUID) -> None:
    intent = await wallet.intend(user_id)
    assert (intent.status, intent.landed) == ("paid", "fund")
    assert await wallet.purse(user_id) == (2_000, 2_000)
    await wallet.assert_covered()


async def test_a_top_up_is_credited_once_however_often_it_is_told(
    wallet: Wallet, user_id: UUID
) -> None:
    """How: ten notices at once, and the worker asking at the same time."""
    wallet.channel.behaviour = Behaviour.LATER
    intent = await wallet.intend(user_id)
    assert intent.status == "open"
    our_no = str(intent.intent_id)
    await wallet.channel.settle(our_no)
    notice = await wallet.channel.notice(our_no)
    take = wallet.city.core.channel_notice
    await asyncio.gather(*(take(NAME, notice) for _ in range(5)), wallet.ask())
    await take(NAME, notice)
    assert await wallet.purse(user_id) == (2_000, 2_000)
    await wallet.assert_covered()


async def test_money_taken_in_silence_is_found_by_asking(wallet: Wallet, user_id: UUID) -> None:
    wallet.channel.behaviour = Behaviour.SILENT_AFTER
    assert (await wallet.intend(user_id)).status == "open"
    assert await wallet.purse(user_id) == (1_000, 1_000)
    assert await wallet.ask(seconds=30) == 0
    assert await wallet.ask() == 1
    assert await wallet.purse(user_id) == (2_000, 2_000)
    assert await wallet.ask() == 0


async def test_a_declined_top_up_fails_and_a_late_notice_still_credits_it(
    wallet: Wallet, user_id: UUID
) -> None:
    wallet.channel.behaviour = Behaviour.REFUSE
    intent = await wallet.intend(user_id)
    assert (intent.status, intent.reason) == ("failed", "declined")
    await wallet.channel.settle(str(intent.intent_id))
    await wallet.city.core.channel_notice(NAME, await wallet.channel.notice(str(intent.intent_id)))
    assert (await wallet.city.core.read_top_up(CENTRE, intent.intent_id)).status == "paid"
    assert await wallet.purse(user_id) == (2_000, 2_000)


async def test_a_collection_nobody_pays_fails_after_its_time(wallet: Wallet, user_id: UUID) -> None:
    wallet.channel.behaviour = Behaviour.SILENT_BEFORE
    intent = await wallet.intend(user_id)
    await wallet.ask()
    assert (await wallet.city.core.read_top_up(CENTRE, intent.intent_id)).status == "open"
    await wallet.ask(hours=3)
    late = await wallet.city.core.read_top_up(CENTRE, intent.intent_id)
    assert (late.status, late.reason) == ("failed", "not_paid_in_time")
    assert await wallet.purse(user_id) == (1_000, 1_000)


async def test_money_the_fund_may_not_hold_when_it_comes_waits_with_a_claim(
    wallet: Wallet, user_id: UUID
) -> None:
    """Why: the channel has the money; it can neither vanish nor break the legal limit."""
    wallet.channel.behaviour = Behaviour.LATER
    first, second = [await wallet.intend(user_id, 250_000) for _ in range(2)]
    for intent in (first, second):
        await wallet.channel.settle(str(intent.intent_id))
    await wallet.ask()
    landed = [
        (await wallet.city.core.read_top_up(CENTRE, one.intent_id)).landed
        for one in (first, second)
    ]
    assert landed == ["fund", "claim"]
    assert await wallet.purse(user_id) == (251_000, 251_000)
    await wallet.assert_covered()


async def test_a_notice_must_be_the_channels_and_say_the_same(
    wallet: Wallet, user_id: UUID
) -> None:
    wallet.channel.behaviour = Behaviour.LATER
    intent = await wallet.intend(user_id)
    await wallet.channel.settle(str(intent.intent_id))
    notice = await wallet.channel.notice(str(intent.intent_id))
    take = wallet.city.core.channel_notice

    def signed(**changes: object) -> object:
        changed = notice.model_copy(update=changes)
        signature = wallet.channel._signature(changed)
        return changed.model_copy(update={"signature": signature})

    with pytest.raises(ChannelSignatureError):
        await take(NAME, notice.model_copy(update={"amount_fen": 9_999}))
    with pytest.raises(OrderConflictError):
        await take(NAME, signed(amount_fen=9_999))  # type: ignore[arg-type]
    for stranger in ("nobody", str(uuid4())):
        with pytest.raises(NotFoundError):
            await take(NAME, signed(our_no=stranger))  # type: ignore[arg-type]
    with pytest.raises(ChannelUnknownError):
        await take("moon", notice)
    await take(NAME, notice)
    with pytest.raises(OrderConflictError):
        await take(NAME, signed(channel_no="S9"))  # type: ignore[arg-type]
    assert await wallet.purse(user_id) == (2_000, 2_000)


async def test_a_repeated_request_is_one_intent(wallet: Wallet, user_id: UUID) -> None:
    request = TopUpIntentRequest(fund="purse", amount_fen=700, channel=NAME)
    core = wallet.city.core
    first, _ = await core.intend_top_up(CENTRE, user_id, request, "same")
    again, replayed = await core.intend_top_up(CENTRE, user_id, request, "same")
    assert (again, replayed, await wallet.moved()) == (first, True, 1)


async def test_limits_stand_before_the_channel_is_asked(wallet: Wallet, user_id: UUID) -> None:
    with pytest.raises(LimitExceededError):
        await wallet.intend(user_id, 300_001)
    with pytest.raises(ChannelUnknownError):
        await wallet.city.core.intend_top_up(
            CENTRE,
            user_id,
            TopUpIntentRequest(fund="purse", amount_fen=1, channel="moon"),
            key(),
        )
    assert await wallet.moved() == 0


# -- withdrawals ---------------------------------------------------------------------------------


async def test_a_withdrawal_the_channel_pays_leaves_fund_and_bank(
    wallet: Wallet, user_id: UUID
) -> None:
    assert (await wallet.withdraw(user_id)).status == "paid"
    assert await wallet.purse(user_id) == (600, 600)
    await wallet.assert_covered()


async def test_a_refused_withdrawal_is_released(wallet: Wallet, user_id: UUID) -> None:
    wallet.channel.behaviour = Behaviour.REFUSE
    refused = await wallet.withdraw(user_id)
    assert (refused.status, refused.reason) == ("refused", "declined")
    assert await wallet.purse(user_id) == (1_000, 1_000)
    await wallet.assert_covered()


@pytest.mark.parametrize("behaviour", [Behaviour.SILENT_AFTER, Behaviour.SILENT_BEFORE])
async def test_an_unknown_outcome_is_asked_about_and_paid_once(
    wallet: Wallet, user_id: UUID, behaviour: Behaviour
) -> None:
    wallet.channel.behaviour = behaviour
    withdrawal = await wallet.withdraw(user_id)
    assert withdrawal.status == "held"
    assert await wallet.purse(user_id) == (1_000, 600)
    wallet.channel.behaviour = Behaviour.PAY
    assert await wallet.ask() == 1
    read = await wallet.city.core.read_withdrawal(CENTRE, withdrawal.withdrawal_id)
    assert (read.status, await wallet.moved(), await wallet.purse(user_id)) == (
        "paid",
        1,
        (600, 600),
    )
    assert await wallet.ask() == 0
    await wallet.assert_covered()


async def test_a_notice_resolves_a_withdrawal_once(wallet: Wallet, user_id: UUID) -> None:
    wallet.channel.behaviour = Behaviour.LATER
    withdrawal = await wallet.withdraw(user_id)
    our_no = str(withdrawal.withdrawal_id)
    await wallet.ask()
    await wallet.channel.settle(our_no, ChannelState.REFUSED)
    notice = await wallet.channel.notice(our_no)
    for _ in range(2):
        await wallet.city.core.channel_notice(NAME, notice)
    assert await wallet.purse(user_id) == (1_000, 1_000)
    await wallet.channel.settle(our_no)
    with pytest.raises(OrderConflictError):
        await wallet.city.core.channel_notice(NAME, await wallet.channel.notice(our_no))


async def test_no_more_is_withdrawn_than_there_is_and_than_is_allowed(
    wallet: Wallet, user_id: UUID
) -> None:
    with pytest.raises(InsufficientBalanceError):
        await wallet.withdraw(user_id, 1_001)
    with pytest.raises(LimitExceededError):
        await wallet.withdraw(user_id, 300_001)
    results = await asyncio.gather(
        *(wallet.withdraw(user_id, 600) for _ in range(3)), return_exceptions=True
    )
    assert sorted(type(one).__name__ for one in results) == [
        "InsufficientBalanceError",
        "InsufficientBalanceError",
        "WithdrawalView",
    ]
    assert await wallet.purse(user_id) == (400, 400)


async def test_a_refused_withdrawal_does_not_use_up_the_limit_of_the_day(
    wallet: Wallet, user_id: UUID
) -> None:
    await wallet.life.top_up(user_id, 299_000, fund="purse")
    wallet.channel.behaviour = Behaviour.REFUSE
    await wallet.withdraw(user_id, 300_000)
    wallet.channel.behaviour = Behaviour.PAY
    await wallet.withdraw(user_id, 300_000)
    await wallet.life.top_up(user_id, 200_000, fund="purse")
    await wallet.withdraw(user_id, 200_000)
    with pytest.raises(LimitExceededError) as refused:
        await wallet.withdraw(user_id, 1)
    assert refused.value.facts["limit"] == "withdrawal:purse:day"


async def test_a_subsidy_is_not_withdrawn(wallet: Wallet, user_id: UUID) -> None:
    await wallet.programme()
    await wallet.grant(user_id, 500)
    request = WithdrawalRequest(fund="school_meals", amount_fen=1, channel=NAME, payee="x")
    with pytest.raises(FundUnknownError):
        await wallet.city.core.withdraw(CENTRE, user_id, request, key())


async def test_nobody_leaves_while_a_withdrawal_is_under_way(wallet: Wallet, user_id: UUID) -> None:
    wallet.channel.behaviour = Behaviour.LATER
    await wallet.withdraw(user_id)
    with pytest.raises(ObligationsOpenError):
        await wallet.city.core.close_user(
            CENTRE, user_id, CloseRequest(reason="user_request"), key()
        )


async def test_where_money_goes_is_kept_sealed(wallet: Wallet, user_id: UUID) -> None:
    wallet.channel.behaviour = Behaviour.LATER
    await wallet.withdraw(user_id)
    async with wallet.city.pool.connection() as connection:
        found = await connection.execute("SELECT payee_sealed FROM cardcore.withdrawal")
        row = await found.fetchone()
    assert row is not None
    assert b"6222" not in bytes(row[0])


@pytest.mark.parametrize(
    ("fen", "status"), [(191, "failed"), (192, "open"), (193, "open"), (194, "open")]
)
async def test_the_last_two_digits_force_each_outcome(
    wallet: Wallet, user_id: UUID, fen: int, status: str
) -> None:
    assert (await wallet.intend(user_id, fen)).status == status
