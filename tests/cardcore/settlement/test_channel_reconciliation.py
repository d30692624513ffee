"""A payment channel's bill against top-ups and withdrawals: what citizens moved through it."""

from datetime import date, timedelta
from uuid import UUID

from adapters.partners.payment_channel import NAME, Behaviour
from cardcore.base64url import encode_base64url
from cardcore.calendar import day_begins
from cardcore.settlement.channel_bill import BillRow, write_bill
from cardcore.settlement.request import DifferencesQuery, TakeBill
from tests.cardcore.account.test_channels import Wallet, user_id, wallet  # noqa: F401  (fixtures)
from tests.city_life import CENTRE

ON = date(2026, 6, 1)


Found = list[tuple[str, int | None, int | None]]


def row(at: Wallet, number: int, amount_fen: int, direction: str, our_no: object) -> BillRow:
    return BillRow(
        channel_no=f"S{number:012d}",
        our_no=str(our_no),
        direction=direction,
        amount_fen=amount_fen,
        state="paid",
        moved_at=at.clock.now,
    )


async def found(at: Wallet, source: str, rows: list[BillRow]) -> Found:
    """The bill of the day is taken the day after; the differences that stand."""
    at.clock.now = day_begins(ON + timedelta(days=1)) + timedelta(hours=1)
    desk = at.city.core.platform.settlement.differences
    content = encode_base64url(write_bill(rows))
    request = TakeBill(source=source, business_on=ON, content=content)
    taken = await desk.take_bill(CENTRE, request)
    standing = (await desk.standing(CENTRE, DifferencesQuery(source=source))).differences
    assert taken.compared[0].differences == len(standing)
    return sorted(((one.kind, one.ours_fen, one.theirs_fen) for one in standing), key=str)


async def test_a_channels_day_agrees(wallet: Wallet, user_id: UUID) -> None:  # noqa: F811  (fixtures)
    paid = await wallet.intend(user_id)
    gone = await wallet.withdraw(user_id)
    wallet.channel.behaviour = Behaviour.REFUSE
    await wallet.intend(user_id)
    rows = [
        row(wallet, 1, 1_000, "in", paid.intent_id),
        row(wallet, 2, 400, "out", gone.withdrawal_id),
    ]
    assert await found(wallet, NAME, rows) == []


async def test_row_38_what_a_channel_has_otherwise_lands_in_its_class(
    wallet: Wallet,  # noqa: F811  (fixtures)
    user_id: UUID,  # noqa: F811  (likewise)
) -> None:
    """One short, one the channel took in silence, one they paid out twice, one we lack."""
    short = await wallet.intend(user_id, 1_000)
    wallet.channel.behaviour = Behaviour.SILENT_AFTER
    silent = await wallet.intend(user_id, 700)
    wallet.channel.behaviour = Behaviour.PAY
    gone = await wallet.withdraw(user_id, 400)
    alone = await wallet.withdraw(user_id, 300)
    rows = [
        row(wallet, 1, 900, "in", short.intent_id),
        row(wallet, 2, 700, "in", silent.intent_id),
        row(wallet, 3, 400, "out", gone.withdrawal_id),
        row(wallet, 3, 400, "out", gone.withdrawal_id),
        row(wallet, 9, 50, "in", ""),
    ]
    assert alone.status == "paid"
    assert [one[0] for one in await found(wallet, NAME, rows)] == [
        "amount",
        "duplicate",
        "ours_only",
        "state",
        "theirs_only",
    ]


async def test_money_that_was_told_by_its_number_alone_is_found_by_it(
    wallet: Wallet,  # noqa: F811  (fixtures)
    user_id: UUID,  # noqa: F811  (likewise)
) -> None:
    """Why: a top-up the centre's own channel has received names no intent of ours."""
    assert user_id
    async with wallet.city.pool.connection() as connection:
        cursor = await connection.execute("SELECT channel, channel_no FROM cardcore.topup")
        ((source, channel_no),) = await cursor.fetchall()
    one = row(wallet, 1, 1_000, "in", "")
    known = BillRow(
        channel_no=channel_no,
        our_no="",
        direction="in",
        amount_fen=1_000,
        state="paid",
        moved_at=wallet.clock.now,
    )
    assert await found(wallet, source, [known]) == []
    assert await found(wallet, source, [known, one]) == [("theirs_only", None, 1_000)]
