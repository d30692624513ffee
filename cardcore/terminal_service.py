"""The verbs about terminals: enrolling them, what they carry, what they bring back."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore import audit, tables
from cardcore.base64url import decode_base64url, encode_base64url
from cardcore.books import transaction
from cardcore.calendar import business_date
from cardcore.caller import Caller, Scope
from cardcore.errors import CardcoreError, TerminalUnknownError
from cardcore.once import record_refusal
from cardcore.parts import Parts
from cardcore.terminals import enrolment
from cardcore.terminals.errors import ActivationRefusedError
from cardcore.terminals.packages import Packages, Served
from cardcore.terminals.record_booking import Payables
from cardcore.terminals.record_deciding import KeyLife, UploadingTerminal
from cardcore.terminals.record_judging import JudgedRecord, RecordKeys
from cardcore.terminals.record_request import UploadRequest
from cardcore.terminals.record_views import GapView, RecordResult, UploadView
from cardcore.terminals.records import RecordWriter
from cardcore.terminals.request import EnrolmentRequest, RevocationRequest
from cardcore.terminals.views import (
    ActivationCodeView,
    EnrolledTerminal,
    PackageKeyView,
    TerminalKeyView,
    TerminalView,
)
from codes.key_ring import KeyUse
from codes.suites import Algorithm

RECORDS_PER_PART: Final = 170
_ALGORITHM_NAMES = {
    Algorithm.ED25519: "ed25519",
    Algorithm.ES256: "es256",
    Algorithm.SM2_SM3: "sm2-sm3",
}


class TerminalService:
    """Serves terminals and those who look after them."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._packages = Packages(
            parts.codes, parts.package_signing, parts.terminal_scenes, parts.random_bytes
        )
        self._records = RecordWriter(parts)

    async def give_activation_code(self, caller: Caller, terminal_id: str) -> ActivationCodeView:
        """A code to enrol a terminal with, good once within a day."""
        caller.require(Scope.TERMINALS_WRITE)
        now = self._parts.clock()
        try:
            async with transaction(self._parts.engine) as (connection, _):
                view = await enrolment.give_activation_code(
                    connection,
                    caller=caller,
                    terminal_id=terminal_id,
                    now=now,
                    random_bytes=self._parts.random_bytes,
                )
                await _audit(connection, caller.client_id, "terminal.activate", terminal_id, now)
        except CardcoreError as refusal:
            await self._note(caller, "terminal.activate", terminal_id, refusal, now)
            raise
        return view

    async def enrol(self, request: EnrolmentRequest) -> EnrolledTerminal:
        """Take up a terminal's own key. Public: the activation code is the proof.

        Raises:
            ActivationRefusedError: whatever does not fit.
        """
        now = self._parts.clock()
        async with transaction(self._parts.engine) as (connection, _):
            enrolled = await enrolment.enrol(connection, request, now=now)
            if enrolled is not None:
                await _audit(
                    connection,
                    enrolled.client_id,
                    "terminal.enrol",
                    f"{request.terminal_id}/{enrolled.kid}",
                    now,
                )
        if enrolled is None:
            nobody = Caller(client_id="", merchant_id=None, scopes=frozenset())
            refusal = ActivationRefusedError()
            await self._note(nobody, "terminal.enrol", request.terminal_id, refusal, now)
            raise refusal
        return EnrolledTerminal(
            client_id=enrolled.client_id,
            terminal_id=enrolled.terminal_id,
            merchant_id=enrolled.merchant_id,
            merchant_name_zh=enrolled.merchant_name_zh,
            merchant_name_en=enrolled.merchant_name_en,
            scene=enrolled.scene,
            place=enrolled.place,
            kid=enrolled.kid,
            scopes=sorted(scope.value for scope in enrolment.TERMINAL_SCOPES),
            issuer_id=self._parts.codes.issuing[-1].issuer_id,
            package_keys=[
                PackageKeyView(
                    kid=key.kid,
                    algorithm=_ALGORITHM_NAMES[key.algorithm],
                    public_key=encode_base64url(key.public_key),
                )
                for key in self._parts.codes.ring
                if KeyUse.PACKAGES in key.uses and key.not_after_s > now.timestamp()
            ],
            server_time=now,
        )

    async def revoke_terminal(
        self, caller: Caller, terminal_id: str, request: RevocationRequest
    ) -> TerminalView:
        """A terminal that was stolen or opened: out at once, its records since then are doubted."""
        caller.require(Scope.TERMINALS_WRITE)
        now = self._parts.clock()
        since = now if request.since is None else min(request.since, now)
        try:
            async with transaction(self._parts.engine) as (connection, _):
                await enrolment.revoke_terminal(
                    connection, caller=caller, terminal_id=terminal_id, since=since, now=now
                )
                await _audit(connection, caller.client_id, "terminal.revoke", terminal_id, now)
                return await _terminal_view(connection, caller, terminal_id)
        except CardcoreError as refusal:
            await self._note(caller, "terminal.revoke", terminal_id, refusal, now)
            raise

    async def read_terminal(self, caller: Caller, terminal_id: str) -> TerminalView:
        """A terminal with the history of its keys."""
        caller.require(Scope.TERMINALS_READ)
        async with transaction(self._parts.engine) as (connection, _):
            return await _terminal_view(connection, caller, terminal_id)

    async def terminal_package(
        self, caller: Caller, *, held: str | None, has: frozenset[str]
    ) -> Served:
        """What the calling terminal works with: nothing new, what changed, or all of it.

        Args:
            caller: a terminal.
            held: the version the changes are to stand on, by its ETag.
            has: ETags the terminal says it has.

        Raises:
            TerminalUnknownError: the caller is no terminal, or out of service.
        """
        caller.require(Scope.TERMINALS_READ)
        if caller.terminal_id is None:
            raise TerminalUnknownError("only a terminal has a package")
        now = self._parts.clock()
        async with transaction(self._parts.engine) as (connection, raw):
            terminal = await enrolment.terminal_of(connection, caller, caller.terminal_id)
            served = await self._packages.serve(
                connection,
                raw,
                scene=terminal.scene,
                held=held,
                has=has,
                now=now,
                on=business_date(now, self._parts.cut_off),
            )
        self._packages.remember(terminal.scene, served.package, now)
        return served

    async def upload_records(self, caller: Caller, request: UploadRequest) -> UploadView:
        """Take in what a terminal decided by itself; one result per record, in order.

        Raises:
            TerminalUnknownError: the caller is no terminal, or out of service.
            ServiceUnavailableError: the database is away; the same batch may be sent again.
        """
        caller.require(Scope.RECORDS_WRITE)
        if caller.terminal_id is None:
            raise TerminalUnknownError("only a terminal uploads records")
        now = self._parts.clock()
        async with transaction(self._parts.engine) as (connection, _):
            terminal = await enrolment.terminal_of(connection, caller, caller.terminal_id)
            known_keys = await enrolment.keys_of(connection, caller.terminal_id)
            payables = await _payables(connection, terminal.merchant_id)
        ring_json = self._parts.codes.ring.to_json()
        keys = RecordKeys(
            terminal_id=caller.terminal_id,
            keys={key.kid: (key.suite, key.public_key) for key in known_keys},
            ring_json=ring_json,
            merchant_id=terminal.merchant_id,
        )
        uploading = UploadingTerminal(
            caller=caller,
            terminal_id=caller.terminal_id,
            scene=terminal.scene,
            payables=payables,
            keys={
                key.kid: KeyLife(enrolled_at=key.enrolled_at, revoked_at=key.revoked_at)
                for key in known_keys
            },
            ring_json=ring_json,
        )
        scene = self._packages.scene(terminal.scene)
        results: list[RecordResult] = []
        gaps: list[tuple[int, int]] = []
        batch = [_record_bytes(text) for text in request.records]
        async with self._judged_ahead(batch, keys) as parts:
            for judging in parts:
                done, open_gaps = await self._records.write(
                    uploading, scene, request, await judging, now=now, first=len(results)
                )
                results += done
                gaps = gaps if open_gaps is None else open_gaps
        return UploadView(
            results=results,
            gaps=[GapView(first=first, last=last) for first, last in gaps],
            server_time=now,
            clock_skew_ms=int((request.clock - now).total_seconds() * 1000),
        )

    @asynccontextmanager
    async def _judged_ahead(
        self, batch: Sequence[bytes], keys: RecordKeys
    ) -> AsyncIterator[Sequence[asyncio.Future[list[JudgedRecord]]]]:
        """An upload in parts: while one is booked, the next are judged."""
        judge = self._parts.record_judge.judge
        parts = [
            asyncio.ensure_future(judge(batch[start : start + RECORDS_PER_PART], keys))
            for start in range(0, len(batch), RECORDS_PER_PART)
        ]
        try:
            yield parts
        finally:
            for one in parts:
                one.cancel()

    async def _note(
        self, caller: Caller, action: str, terminal_id: str, refusal: CardcoreError, now: datetime
    ) -> None:
        await record_refusal(
            self._parts.engine, caller, action, f"terminal/{terminal_id}", refusal, now
        )


def _record_bytes(text: str) -> bytes:
    """The record in ``text``; what is no base64url stays as it came, and is no record."""
    try:
        return decode_base64url(text)
    except ValueError:
        return text.encode()


async def _payables(connection: AsyncConnection, merchant_id: str) -> Payables:
    merchant = (
        await connection.execute(
            select(tables.merchant).where(tables.merchant.c.merchant_id == merchant_id)
        )
    ).one()
    return Payables(
        merchant_id=merchant_id,
        payable_id=merchant.payable_id,
        subsidy_payable_id=merchant.subsidy_payable_id,
    )


async def _terminal_view(
    connection: AsyncConnection, caller: Caller, terminal_id: str
) -> TerminalView:
    terminal = await enrolment.terminal_of(connection, caller, terminal_id, in_service=False)
    return TerminalView(
        terminal_id=terminal.terminal_id,
        merchant_id=terminal.merchant_id,
        scene=terminal.scene,
        place=terminal.place,
        status=terminal.status,
        keys=[
            TerminalKeyView(
                kid=key.kid,
                algorithm=_ALGORITHM_NAMES[enrolment.algorithm_of(key.suite)],
                enrolled_at=key.enrolled_at,
                retired_at=key.retired_at,
                revoked_at=key.revoked_at,
            )
            for key in await enrolment.keys_of(connection, terminal_id)
        ],
    )


async def _audit(
    connection: AsyncConnection, client_id: str, action: str, terminal: str, now: datetime
) -> None:
    await audit.record(
        connection,
        actor=client_id,
        action=action,
        subject=f"terminal/{terminal}",
        outcome="done",
        now=now,
    )
