"""Statements: opening plus lines is closing, whatever is asked; rare characters arrive."""

import csv
import io
from datetime import date, timedelta
from uuid import UUID

import openpyxl
import pypdf
import pytest

from cardcore.account.request import StatementFileQuery, StatementQuery
from cardcore.account.views import StatementView
from cardcore.business.request import RefundRequest
from cardcore.caller import Caller
from cardcore.errors import (
    ForbiddenError,
    FundUnknownError,
    MerchantUnknownError,
    RequestInvalidError,
)
from tests.cardcore.account.conftest import SHOP, Funding, key
from tests.city_life import ALL_SCOPES, BUS_OFFICE, CENTRE

TODAY = date(2026, 6, 1)
RARE = "𠮷𠀋楼"


def asked(fund: str, **fields: object) -> StatementQuery:
    return StatementQuery.model_validate(
        {"fund": fund, "from_on": TODAY, "to_on": TODAY + timedelta(days=9)} | fields
    )


async def whole(funding: Funding, user_id: UUID, query: StatementQuery) -> list[StatementView]:
    """All pages of a statement."""
    pages = [await funding.city.core.user_statement(CENTRE, user_id, query)]
    while pages[-1].next_cursor is not None:
        further = query.model_copy(update={"cursor": pages[-1].next_cursor})
        pages.append(await funding.city.core.user_statement(CENTRE, user_id, further))
    return pages


async def three_days(funding: Funding) -> UUID:
    """A person who tops up, buys on three days, and gets something back."""
    await funding.shop(name=RARE)
    user_id = await funding.life.person(funds=("purse",), balance_fen=5_000)
    for amount_fen in (100, 200):
        await funding.buy(user_id, amount_fen)
        funding.clock.advance(days=1)
    order = await funding.buy(user_id, 300)
    funding.clock.advance(days=1)
    refund = RefundRequest(amount_fen=50, out_refund_no=key(), reason="returned")
    await funding.city.core.refund(CENTRE, order.order_id, refund, key())
    return user_id


@pytest.mark.parametrize("limit", [1, 2, 5, 100])
async def test_opening_and_the_lines_of_all_pages_are_the_closing(
    funding: Funding, limit: int
) -> None:
    user_id = await three_days(funding)
    pages = await whole(funding, user_id, asked("purse", limit=limit))
    lines = [line for page in pages for line in page.lines]
    assert [line.amount_fen for line in lines] == [5_000, -100, -200, -300, 50]
    assert [line.balance_fen for line in lines] == [5_000, 4_900, 4_700, 4_400, 4_450]
    assert {(page.opening_fen, page.closing_fen) for page in pages} == {(0, 4_450)}
    assert [line.business_on.day for line in lines] == [1, 1, 2, 3, 4]


async def test_a_day_is_opened_with_what_the_day_before_closed_with(funding: Funding) -> None:
    """Row 37: every entry stands in exactly one business day."""
    user_id = await three_days(funding)
    closing_fen, seen = 0, 0
    for days in range(5):
        day = TODAY + timedelta(days=days)
        (page,) = await whole(funding, user_id, asked("purse", from_on=day, to_on=day))
        assert page.opening_fen == closing_fen
        closing_fen, seen = page.closing_fen, seen + len(page.lines)
        assert page.final is (days < 3)
    assert (closing_fen, seen) == (4_450, 5)


async def test_the_business_day_changes_at_the_cut_off_in_the_statement_too(
    funding: Funding,
) -> None:
    """Row 37: 04:29:59 in Shanghai is yesterday's money."""
    await funding.shop()
    funding.clock.now = funding.clock.now.replace(hour=20, minute=29, second=59, microsecond=999000)
    user_id = await funding.life.person(funds=("purse",), balance_fen=5_000)
    before = await funding.buy(user_id, 100)
    funding.clock.advance(seconds=0.001)
    after = await funding.buy(user_id, 200)
    (page,) = await whole(funding, user_id, asked("purse"))
    days = {line.order_id: line.business_on for line in page.lines}
    assert days[before.order_id] == before.business_on == TODAY
    assert days[after.order_id] == after.business_on == TODAY + timedelta(days=1)


async def test_a_line_says_what_happened_at_whom(funding: Funding) -> None:
    user_id = await three_days(funding)
    (page,) = await whole(funding, user_id, asked("purse"))
    assert [line.kind for line in page.lines] == ["top_up", *["payment"] * 3, "refund"]
    assert page.lines[0].text_zh == "充值"
    assert page.lines[1].text_zh.startswith(f"消费 {RARE} ")
    assert page.lines[1].text_en.startswith(f"Payment {SHOP} ")
    assert page.lines[0].order_id is None


async def test_a_merchant_reads_what_it_is_owed_and_nobody_elses(funding: Funding) -> None:
    await three_days(funding)
    shop = Caller(client_id="shop", merchant_id=SHOP, scopes=ALL_SCOPES)
    page = await funding.city.core.merchant_statement(shop, SHOP, asked("payable"))
    assert [line.amount_fen for line in page.lines] == [100, 200, 300, -50]
    subsidies = await funding.city.core.merchant_statement(shop, SHOP, asked("subsidy_payable"))
    assert (subsidies.lines, subsidies.closing_fen) == ([], 0)
    with pytest.raises(MerchantUnknownError):
        await funding.city.core.merchant_statement(BUS_OFFICE, SHOP, asked("payable"))
    with pytest.raises(FundUnknownError):
        await funding.city.core.merchant_statement(shop, SHOP, asked("purse"))


async def test_a_citizen_reads_their_own_and_nobody_elses(funding: Funding) -> None:
    user_id = await three_days(funding)
    other = await funding.life.person()
    citizen = Caller(
        client_id=f"user:{user_id}", merchant_id=None, scopes=frozenset(), user_id=user_id
    )
    page = await funding.city.core.user_statement(citizen, user_id, asked("purse"))
    assert page.closing_fen == 4_450
    with pytest.raises(ForbiddenError):
        await funding.city.core.user_statement(citizen, other, asked("transit"))


async def test_counts_and_unknown_funds_have_no_statement(funding: Funding) -> None:
    user_id = await funding.life.person()
    await funding.give(user_id, 3)
    for fund in ("rides", "gold"):
        with pytest.raises(FundUnknownError):
            await funding.city.core.user_statement(CENTRE, user_id, asked(fund))


@pytest.mark.parametrize("cursor", ["", "x", "WzFd", "WyJhIiwiYiJd"])
async def test_a_cursor_of_something_else_is_refused(funding: Funding, cursor: str) -> None:
    user_id = await funding.life.person()
    with pytest.raises(RequestInvalidError):
        await funding.city.core.user_statement(CENTRE, user_id, asked("transit", cursor=cursor))


def test_a_span_is_a_year_at_most_and_runs_forwards() -> None:
    for to_on in (TODAY - timedelta(days=1), TODAY + timedelta(days=366)):
        with pytest.raises(ValueError, match="to_on"):
            asked("purse", to_on=to_on)


async def paper(funding: Funding, user_id: UUID, form: str, language: str = "zh") -> bytes:
    query = StatementFileQuery.model_validate(
        {
            "fund": "purse",
            "from_on": TODAY,
            "to_on": TODAY + timedelta(days=2),
            "language": language,
        }
    )
    return await funding.city.core.user_statement_file(CENTRE, user_id, query, form)


async def test_row_34_rare_characters_stand_in_csv_spreadsheet_and_pdf(funding: Funding) -> None:
    user_id = await three_days(funding)
    rows = list(csv.reader(io.StringIO((await paper(funding, user_id, "csv")).decode("utf-8-sig"))))
    assert any(RARE in cell for row in rows for cell in row)
    assert rows[0] == ["账户对账单", "实名钱包"]
    sheet = openpyxl.load_workbook(io.BytesIO(await paper(funding, user_id, "xlsx"))).active
    assert sheet is not None
    assert any(RARE in str(cell.value) for row in sheet.iter_rows() for cell in row)
    pages = pypdf.PdfReader(io.BytesIO(await paper(funding, user_id, "pdf"))).pages
    printed = "".join(page.extract_text().replace("\0", "") for page in pages)
    assert RARE in "".join(printed.split())


async def test_row_34_a_name_that_is_a_formula_runs_in_no_spreadsheet(funding: Funding) -> None:
    await funding.shop(name='=HYPERLINK("http://x")')
    await funding.buy(await funding.life.person(funds=("purse",)), 100)
    query = StatementFileQuery(fund="payable", from_on=TODAY, to_on=TODAY)
    core = funding.city.core
    text = (await core.merchant_statement_file(CENTRE, SHOP, query, "csv")).decode("utf-8-sig")
    cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
    assert any("HYPERLINK" in cell for cell in cells)
    assert not any(cell.startswith("=") for cell in cells)
    book = await core.merchant_statement_file(CENTRE, SHOP, query, "xlsx")
    sheet = openpyxl.load_workbook(io.BytesIO(book)).active
    assert sheet is not None
    assert not any(cell.data_type == "f" for row in sheet.iter_rows() for cell in row)


async def test_paper_speaks_english_when_asked_and_shows_no_full_name(funding: Funding) -> None:
    user_id = await three_days(funding)
    text = (await paper(funding, user_id, "csv", "en")).decode("utf-8-sig")
    rows = list(csv.reader(io.StringIO(text)))
    assert rows[0] == ["Account statement", "Registered purse"]
    assert rows[1][0] == "Holder"
    assert "*" in rows[1][1]
    assert "Closing balance" in text
    assert "Payment" in text


async def test_a_span_with_an_open_day_says_so_on_paper(funding: Funding) -> None:
    user_id = await three_days(funding)
    query = StatementFileQuery(
        fund="purse", from_on=TODAY, to_on=TODAY + timedelta(days=3), language="en"
    )
    text = await funding.city.core.user_statement_file(CENTRE, user_id, query, "csv")
    assert b"not over" in text
    assert b"not over" not in await paper(funding, user_id, "csv", "en")


async def test_a_statement_too_long_for_a_file_is_refused(
    funding: Funding, monkeypatch: pytest.MonkeyPatch
) -> None:
    user_id = await three_days(funding)
    monkeypatch.setattr("cardcore.account.statements.FILE_LINES_MAX", 3)
    with pytest.raises(RequestInvalidError, match="fewer days"):
        await paper(funding, user_id, "csv")
