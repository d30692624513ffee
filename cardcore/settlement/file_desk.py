"""Files of settlement as merchants fetch them, and proofs of single rows."""

import asyncio

from sqlalchemy import select

from cardcore.books import transaction
from cardcore.caller import Caller, Scope
from cardcore.parts import Parts
from cardcore.settlement.access import require_own
from cardcore.settlement.errors import WindowUnknownError
from cardcore.settlement.files import SETTLEMENT_KEY
from cardcore.settlement.request import FileQuery
from cardcore.settlement.statement_file import prove_row
from cardcore.settlement.tables import settlement_file
from cardcore.settlement.views import FileView, RowProofView


class FileDesk:
    """Serves files."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def read(
        self, caller: Caller, merchant_id: str, number: int, query: FileQuery
    ) -> FileView:
        """What stands of a merchant's file, and its signature.

        Raises:
            MerchantUnknownError: no such merchant of this caller.
            WindowUnknownError: there is no such file, or not yet.
        """
        return (await self._file(caller, merchant_id, number, query))[0]

    async def content(
        self, caller: Caller, merchant_id: str, number: int, query: FileQuery
    ) -> bytes:
        """The file itself. Raises as ``read``."""
        return (await self._file(caller, merchant_id, number, query))[1]

    async def prove_row(
        self, caller: Caller, merchant_id: str, number: int, row_no: int, query: FileQuery
    ) -> RowProofView:
        """One row of a file with the path to the root that is signed. Raises as ``read``."""
        view, content = await self._file(caller, merchant_id, number, query)
        proved = await asyncio.to_thread(prove_row, content, row_no)
        if proved is None:
            raise WindowUnknownError(field="row")
        line, path = proved
        return RowProofView(
            line=line,
            path=path,
            head=view.head,
            signature=view.signature,
            public_key=view.public_key,
        )

    async def _file(
        self, caller: Caller, merchant_id: str, number: int, query: FileQuery
    ) -> tuple[FileView, bytes]:
        caller.require(Scope.BILLS_READ)
        require_own(caller, merchant_id)
        f = settlement_file.c
        asked = select(settlement_file).where(f.number == number, f.merchant_id == merchant_id)
        if query.version is not None:
            asked = asked.where(f.version == query.version)
        async with transaction(self._parts.engine) as (connection, _):
            row = (await connection.execute(asked.order_by(f.version.desc()).limit(1))).first()
        if row is None:
            raise WindowUnknownError(field="number" if query.version is None else "version")
        ring = {key.label: key.public_key for key in await self._parts.hsm.list_keys()}
        view = FileView(
            number=number,
            merchant_id=merchant_id,
            version=row.version,
            rows=row.rows,
            sum_fen=row.sum_fen,
            sha256=bytes(row.sha256).hex(),
            root=bytes(row.root).hex(),
            head=row.head,
            signature=bytes(row.signature).hex(),
            public_key=ring[SETTLEMENT_KEY].hex(),
            made_at=row.made_at,
        )
        return view, bytes(row.content)
