"""Terminals as their owners see them: registered, moved, suspended, retired.

A merchant looks after its own terminals; the card centre after all of them. What a terminal does
with its key is in ``cardcore/terminals``. A suspended terminal takes no orders and brings no
records until it is resumed; a retired one is out for good, and its key with it.
"""

from contextlib import AbstractAsyncContextManager
from typing import Any

from sqlalchemy import Row, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore import tables
from cardcore.books import transaction
from cardcore.business.merchants import find_client
from cardcore.business.scene_tables import scene as registered_scene
from cardcore.caller import Caller, Scope
from cardcore.errors import (
    ForbiddenError,
    MerchantUnknownError,
    SceneUnknownError,
    TerminalUnknownError,
)
from cardcore.parts import Parts
from cardcore.platform.cursors import after, read_cursor
from cardcore.platform.errors import (
    MerchantClosedError,
    TerminalExistsError,
    TerminalRetiredError,
)
from cardcore.platform.merchant_request import (
    NewPlace,
    NewTerminal,
    RegisteredTerminalsView,
    RegisteredTerminalView,
    TerminalPage,
)
from cardcore.platform.register_act import RegisterAct, register_act
from cardcore.platform.request import ForPurpose
from cardcore.terminals.enrolment import revoke_terminal


class TerminalRegister:
    """The register of terminals."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def register(
        self, caller: Caller, merchant_id: str, request: NewTerminal
    ) -> RegisteredTerminalView:
        """Register a terminal of a merchant. The same again is answered as it stands.

        Raises:
            MerchantUnknownError: no such merchant of the caller's.
            MerchantClosedError: the merchant is closed.
            SceneUnknownError: no such scene.
            TerminalExistsError: the id is another terminal's, or a client's.
        """
        _require_owner(caller, Scope.TERMINALS_WRITE, merchant_id)
        subject = f"terminal/{request.terminal_id}"
        async with register_act(
            self._parts, caller, "terminal.register", subject, request.purpose
        ) as act:
            await _require_open(act.connection, merchant_id)
            known = await _row(act.connection, request.terminal_id, lock=True)
            if known is not None:
                there = (known.merchant_id, known.scene, known.place)
                if there != (merchant_id, request.scene, request.place):
                    raise TerminalExistsError(field="terminal_id")
                return _view(known)
            if not await self._is_scene(act.connection, request.scene):
                raise SceneUnknownError(field="scene")
            # An enrolled terminal is a client of its own name: nobody else may have it.
            if await find_client(act.connection, request.terminal_id) is not None:
                raise TerminalExistsError(field="terminal_id")
            await act.connection.execute(
                insert(tables.terminal).values(
                    terminal_id=request.terminal_id,
                    merchant_id=merchant_id,
                    scene=request.scene,
                    place=request.place,
                    status="active",
                    recorded_at=act.now,
                )
            )
            await act.note()
            return _view(await _known(act.connection, caller, request.terminal_id))

    async def move(
        self, caller: Caller, terminal_id: str, request: NewPlace
    ) -> RegisteredTerminalView:
        """Say where a terminal stands from now on.

        Raises:
            TerminalUnknownError: no such terminal of the caller's.
            TerminalRetiredError: it is retired.
        """
        caller.require(Scope.TERMINALS_WRITE)
        async with self._act(caller, "move", terminal_id, request.purpose) as act:
            known = await _in_use(act.connection, caller, terminal_id)
            if known.place != request.place:
                await _set(act, terminal_id, {"place": request.place})
            return _view(await _known(act.connection, caller, terminal_id))

    async def suspend(
        self, caller: Caller, terminal_id: str, why: ForPurpose
    ) -> RegisteredTerminalView:
        """Take nothing of a terminal until it is resumed. Raises as ``move``."""
        return await self._turn(caller, terminal_id, "suspend", "suspended", why)

    async def resume(
        self, caller: Caller, terminal_id: str, why: ForPurpose
    ) -> RegisteredTerminalView:
        """Let a terminal work again. Raises as ``move``."""
        return await self._turn(caller, terminal_id, "resume", "active", why)

    async def retire(
        self, caller: Caller, terminal_id: str, why: ForPurpose
    ) -> RegisteredTerminalView:
        """Put a terminal and its key out of use for good; doing it again changes nothing.

        What it signed before stays good, as after a revocation; let it bring its records first.

        Raises:
            TerminalUnknownError: no such terminal of the caller's.
        """
        caller.require(Scope.TERMINALS_WRITE)
        async with self._act(caller, "retire", terminal_id, why.purpose) as act:
            known = await _known(act.connection, caller, terminal_id, lock=True)
            if known.status != "retired":
                await revoke_terminal(
                    act.connection,
                    caller=caller,
                    terminal_id=terminal_id,
                    since=act.now,
                    now=act.now,
                )
                await _set(act, terminal_id, {"status": "retired"})
            return _view(await _known(act.connection, caller, terminal_id))

    async def list(
        self, caller: Caller, merchant_id: str, page: TerminalPage
    ) -> RegisteredTerminalsView:
        """A merchant's terminals by id, those out of service included."""
        _require_owner(caller, Scope.TERMINALS_READ, merchant_id)
        (since,) = read_cursor(page.cursor, ("",))
        terminal = tables.terminal.c
        query = select(tables.terminal).where(
            terminal.merchant_id == merchant_id, terminal.terminal_id > since
        )
        if page.status is not None:
            query = query.where(terminal.status == page.status)
        async with transaction(self._parts.engine) as (connection, _):
            await _merchant(connection, merchant_id)
            rows = (
                await connection.execute(query.order_by(terminal.terminal_id).limit(page.limit + 1))
            ).all()
        shown = rows[: page.limit]
        return RegisteredTerminalsView(
            terminals=[_view(row) for row in shown],
            next_cursor=after((shown[-1].terminal_id,)) if len(rows) > page.limit else None,
        )

    async def _turn(
        self, caller: Caller, terminal_id: str, verb: str, status: str, why: ForPurpose
    ) -> RegisteredTerminalView:
        caller.require(Scope.TERMINALS_WRITE)
        async with self._act(caller, verb, terminal_id, why.purpose) as act:
            known = await _in_use(act.connection, caller, terminal_id)
            if known.status != status:
                await _set(act, terminal_id, {"status": status})
            return _view(await _known(act.connection, caller, terminal_id))

    def _act(
        self, caller: Caller, verb: str, terminal_id: str, purpose: str
    ) -> AbstractAsyncContextManager[RegisterAct]:
        return register_act(
            self._parts, caller, f"terminal.{verb}", f"terminal/{terminal_id}", purpose
        )

    async def _is_scene(self, connection: AsyncConnection, scene: str) -> bool:
        if scene in self._parts.pricers:
            return True
        known = registered_scene.c.scene
        return await connection.scalar(select(known).where(known == scene)) is not None


def _require_owner(caller: Caller, scope: Scope, merchant_id: str) -> None:
    """Raise unless the caller looks after the terminals of this merchant.

    Raises:
        ForbiddenError: without the scope, or a terminal itself.
        MerchantUnknownError: another merchant's client.
    """
    caller.require(scope)
    if caller.terminal_id is not None:
        raise ForbiddenError("a terminal looks after no terminals")
    if caller.merchant_id not in (None, merchant_id):
        raise MerchantUnknownError(field="merchant_id")


async def _merchant(
    connection: AsyncConnection, merchant_id: str, *, lock: bool = False
) -> Row[Any]:
    query = select(tables.merchant).where(tables.merchant.c.merchant_id == merchant_id)
    row = (await connection.execute(query.with_for_update() if lock else query)).one_or_none()
    if row is None:
        raise MerchantUnknownError(field="merchant_id")
    return row


async def _require_open(connection: AsyncConnection, merchant_id: str) -> None:
    """Locked: a merchant that is being closed must not get one more terminal meanwhile."""
    if (await _merchant(connection, merchant_id, lock=True)).status == "closed":
        raise MerchantClosedError(field="merchant_id")


async def _in_use(connection: AsyncConnection, caller: Caller, terminal_id: str) -> Row[Any]:
    known = await _known(connection, caller, terminal_id, lock=True)
    if known.status == "retired":
        raise TerminalRetiredError(field="terminal_id")
    return known


async def _known(
    connection: AsyncConnection, caller: Caller, terminal_id: str, *, lock: bool = False
) -> Row[Any]:
    """A terminal the caller looks after; another merchant's is not found."""
    if caller.terminal_id is not None:
        raise ForbiddenError("a terminal looks after no terminals")
    row = await _row(connection, terminal_id, lock=lock)
    if row is None or caller.merchant_id not in (None, row.merchant_id):
        raise TerminalUnknownError(field="terminal_id")
    return row


async def _row(
    connection: AsyncConnection, terminal_id: str, *, lock: bool = False
) -> Row[Any] | None:
    query = select(tables.terminal).where(tables.terminal.c.terminal_id == terminal_id)
    return (await connection.execute(query.with_for_update() if lock else query)).one_or_none()


async def _set(act: RegisterAct, terminal_id: str, changes: dict[str, object]) -> None:
    await act.connection.execute(
        update(tables.terminal)
        .where(tables.terminal.c.terminal_id == terminal_id)
        .values(**changes)
    )
    await act.note()


def _view(row: Row[Any]) -> RegisteredTerminalView:
    return RegisteredTerminalView(
        terminal_id=row.terminal_id,
        merchant_id=row.merchant_id,
        scene=row.scene,
        place=row.place,
        status=row.status,
        recorded_at=row.recorded_at,
    )
