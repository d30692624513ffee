"""What is asked before every order is answered by index, in a city that has only just opened too.

Plans are made once for a connection, when tables are young and every plan looks equally cheap: a
wrong one would stay until the tables' statistics are made, and read all orders for each.
"""

import json
import re
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from adapters.database import open_pool
from adapters.infrastructure import Addresses
from cardcore.business.order_facts import FACTS, USED
from cardcore.user.holders import HOLDERS

BY_INDEX = {
    "business_order": {"business_order_merchant_id_out_trade_no_key"},
    "code_token": {"code_token_pkey"},
    "delegation": {"delegation_of_user"},
    "entitlement": {"entitlement_of_user"},
    "fund": {"fund_user_id_kind_key"},
    "idempotency": {"idempotency_pkey"},
    "limit_counter": {"limit_counter_pkey"},
    "merchant": {"merchant_pkey"},
    "person": {"person_pkey", "person_merged_into"},
    "terminal": {"terminal_pkey"},
    "used_code": {"used_code_pkey"},
}
SETTINGS = {"funding_policy", "rules_version"}


@pytest.mark.parametrize(
    "question", [FACTS, FACTS + USED, HOLDERS], ids=["facts", "counted", "holders"]
)
async def test_every_table_that_grows_is_read_by_its_key(
    question: str, city_addresses: Addresses
) -> None:
    numbers = count(1)
    asked = re.sub("%b", lambda _: f"${next(numbers)}", question)
    async with (
        open_pool(city_addresses.database_url, connections_max=2, by_key=True) as pool,
        pool.connection() as connection,
    ):
        found = await connection.execute(f"EXPLAIN (GENERIC_PLAN, FORMAT JSON) {asked}".encode())
        row = await found.fetchone()
    assert row is not None
    plan = row[0][0]["Plan"]
    assert "hashed SubPlan" not in json.dumps(plan), "a table is read whole to be compared with"
    read = [*_read(plan, None)]
    assert read
    for table, index, condition in read:
        if table not in SETTINGS:
            assert index in BY_INDEX[table], f"{table} is read by {index}"
            assert condition, f"{table} is read whole by {index}"


def _read(node: dict[str, Any], table: str | None) -> Iterator[tuple[str, str | None, bool]]:
    """Each table of a plan, by which index it is read, and whether by a condition."""
    table = node.get("Relation Name", table)
    if node["Node Type"] == "Bitmap Index Scan" or (
        "Relation Name" in node and node["Node Type"] != "Bitmap Heap Scan"
    ):
        assert table is not None
        yield table, node.get("Index Name"), "Index Cond" in node
    for below in node.get("Plans", []):
        yield from _read(below, table)
