"""What people and systems ask of clearing: reports, rules, and counts told by vehicles."""

import asyncio
from dataclasses import replace
from datetime import time
from typing import Final

from psycopg.types.json import Jsonb
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from cardcore.books import transaction
from cardcore.calendar import CUT_OFF_DEFAULT
from cardcore.caller import Caller, Scope
from cardcore.connections import RawConnection
from cardcore.errors import ForbiddenError, MerchantUnknownError, OrderConflictError
from cardcore.ports import Clock
from cardcore.settlement.tariffs import read_tariff
from scenes.bus.clearing import ClearingReport, ClearingRules, clear_days
from scenes.bus.clearing_files import FORMS
from scenes.bus.clearing_models import (
    ClearingQuery,
    ClearingRulesRequest,
    TakenCounts,
    VehicleCounts,
)

_RULES: Final = "SELECT document FROM scene_bus.clearing_rule ORDER BY rule_no DESC LIMIT 1"


class ClearingService:
    """The clearing's part of the front door."""

    def __init__(
        self, *, engine: AsyncEngine, clock: Clock, cut_off: time = CUT_OFF_DEFAULT
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._cut_off = cut_off

    async def report(self, caller: Caller, query: ClearingQuery) -> ClearingReport:
        """The statistics of some days, of all operators or of one; a merchant sees its own.

        Raises:
            ForbiddenError: the caller lacks the scope.
            MerchantUnknownError: a merchant asked for another's.
        """
        caller.require(Scope.REPORTS_READ)
        if caller.merchant_id is not None and query.merchant_id not in (None, caller.merchant_id):
            raise MerchantUnknownError(field="merchant_id")
        async with transaction(self._engine) as (connection, raw):
            # One snapshot: sums of several questions must be of the same instant.
            await connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
            return await clear_days(
                raw,
                query.from_on,
                query.last_on,
                merchant_id=caller.merchant_id or query.merchant_id,
                rules=await read_clearing_rules(raw),
                cut_off=self._cut_off,
            )

    async def report_file(self, caller: Caller, query: ClearingQuery, form: str) -> bytes:
        """The report as ``csv`` or ``xlsx``. Raises as ``report``."""
        report = await self.report(caller, query)
        return await asyncio.to_thread(FORMS[form], report, query.language)

    async def take_counts(self, caller: Caller, request: VehicleCounts) -> TakenCounts:
        """Write down what vehicles counted. Raises ``ForbiddenError``."""
        caller.require(Scope.RECORDS_WRITE)
        if caller.merchant_id is not None:
            raise ForbiddenError("the card centre's alone")
        now = self._clock()
        async with transaction(self._engine) as (_, raw):
            await raw.cursor().executemany(
                "INSERT INTO scene_bus.vehicle_count"
                " (vehicle_id, business_on, taps_count, told_by, recorded_at)"
                " VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
                [
                    (one.vehicle, one.business_on, one.taps, caller.client_id, now)
                    for one in request.counts
                ],
            )
        return TakenCounts(counts=len(request.counts))

    async def set_rules(
        self, caller: Caller, request: ClearingRulesRequest
    ) -> ClearingRulesRequest:
        """Let rules hold from the next report on; the same version again changes nothing.

        Raises:
            ForbiddenError: the caller lacks the scope, or is a merchant.
            OrderConflictError: the version names other rules.
        """
        caller.require(Scope.FUNDS_ADMIN)
        if caller.merchant_id is not None:
            raise ForbiddenError("the card centre's alone")
        document = request.model_dump(mode="json")
        async with transaction(self._engine) as (_, raw):
            await raw.execute(
                "INSERT INTO scene_bus.clearing_rule (version, document, set_by, recorded_at)"
                " VALUES (%s, %s, %s, %s) ON CONFLICT (version) DO NOTHING",
                (request.version, Jsonb(document), caller.client_id, self._clock()),
            )
            found = await raw.execute(
                "SELECT document FROM scene_bus.clearing_rule WHERE version = %s",
                (request.version,),
            )
            row = await found.fetchone()
        assert row is not None
        if row[0] != document:
            raise OrderConflictError("this version names other rules", field="version")
        return request


async def read_clearing_rules(raw: RawConnection) -> ClearingRules:
    """The rules in force, with settlement's tariff for operators without a rate of their own."""
    found = await raw.execute(_RULES)
    row = await found.fetchone()
    rules = ClearingRules() if row is None else ClearingRulesRequest.model_validate(row[0]).rules()
    _, tariff = await read_tariff(raw)
    return replace(rules, tariff=tariff)
