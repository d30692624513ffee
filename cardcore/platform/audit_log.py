"""The audit log as those may read it who look after the city."""

from sqlalchemy import select

from cardcore import tables
from cardcore.books import transaction
from cardcore.caller import Caller, Scope
from cardcore.parts import Parts
from cardcore.platform.cursors import after, read_cursor
from cardcore.platform.request import Page
from cardcore.platform.views import AuditEventsView, AuditEventView

_NEWEST = 2**62


class AuditLog:
    """Reads; writing and sealing are ``cardcore/audit.py``."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def list(self, caller: Caller, page: Page) -> AuditEventsView:
        """Rows, newest first."""
        caller.require(Scope.AUDIT_READ)
        (before,) = read_cursor(page.cursor, (_NEWEST,))
        event = tables.audit_event.c
        async with transaction(self._parts.engine) as (connection, _):
            rows = (
                await connection.execute(
                    select(tables.audit_event)
                    .where(event.seq < before)
                    .order_by(event.seq.desc())
                    .limit(page.limit + 1)
                )
            ).all()
        shown = rows[: page.limit]
        return AuditEventsView(
            events=[
                AuditEventView(
                    seq=row.seq,
                    recorded_at=row.recorded_at,
                    actor=row.client_id,
                    action=row.action,
                    object=row.object,
                    outcome=row.outcome,
                    purpose=row.purpose,
                )
                for row in shown
            ],
            next_cursor=after((shown[-1].seq,)) if len(rows) > page.limit else None,
        )
