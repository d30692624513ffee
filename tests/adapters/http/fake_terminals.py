"""The terminals of the fake core: those it was told of, and no others."""

from datetime import UTC, datetime, timedelta

from cardcore.caller import Caller, Scope
from cardcore.errors import TerminalUnknownError
from cardcore.terminals.errors import ActivationRefusedError
from cardcore.terminals.packages import Served
from cardcore.terminals.record_request import UploadRequest
from cardcore.terminals.record_views import UploadView
from cardcore.terminals.request import EnrolmentRequest, RevocationRequest
from cardcore.terminals.views import ActivationCodeView, EnrolledTerminal, TerminalView

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


class FakeTerminals:
    """Same calls as ``TerminalService``."""

    terminal_ids: frozenset[str] = frozenset({"bus-0001"})

    async def give_activation_code(self, caller: Caller, terminal_id: str) -> ActivationCodeView:
        caller.require(Scope.TERMINALS_WRITE)
        self._known_terminal(terminal_id)
        return ActivationCodeView(
            terminal_id=terminal_id,
            activation_code="00000-00000-00000-00000",
            expires_at=NOW + timedelta(days=1),
        )

    async def enrol(self, request: EnrolmentRequest) -> EnrolledTerminal:
        raise ActivationRefusedError

    async def revoke_terminal(
        self, caller: Caller, terminal_id: str, request: RevocationRequest
    ) -> TerminalView:
        caller.require(Scope.TERMINALS_WRITE)
        return self._known_terminal(terminal_id)

    async def read_terminal(self, caller: Caller, terminal_id: str) -> TerminalView:
        caller.require(Scope.TERMINALS_READ)
        return self._known_terminal(terminal_id)

    def _known_terminal(self, terminal_id: str) -> TerminalView:
        if terminal_id not in self.terminal_ids:
            raise TerminalUnknownError(field="terminal_id")
        return TerminalView(
            terminal_id=terminal_id,
            merchant_id="bus-shanting",
            scene="bus",
            place={},
            status="active",
            keys=[],
        )

    async def terminal_package(
        self, caller: Caller, *, held: str | None, has: frozenset[str]
    ) -> Served:
        caller.require(Scope.TERMINALS_READ)
        raise TerminalUnknownError

    async def upload_records(self, caller: Caller, request: UploadRequest) -> UploadView:
        caller.require(Scope.RECORDS_WRITE)
        raise TerminalUnknownError
