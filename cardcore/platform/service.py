"""The platform's front door: one object that carries its services."""

from cardcore.parts import Parts
from cardcore.platform.audit_log import AuditLog
from cardcore.platform.bills import Bills
from cardcore.platform.citizen_sessions import CitizenSessions
from cardcore.platform.clients import Clients
from cardcore.platform.lists import Lists
from cardcore.platform.merchants import Merchants
from cardcore.platform.operators import Operators
from cardcore.platform.passwords import Cost, Passwords
from cardcore.platform.proposals import Proposals
from cardcore.platform.record_gaps import RecordGaps
from cardcore.platform.reviews import Reviews
from cardcore.platform.terminal_register import TerminalRegister
from cardcore.platform.webhooks import Webhooks
from cardcore.settlement.service import Settlement


class Platform:
    """Everything of the platform around one core's parts.

    Args:
        parts: what the core is built from.
        password_cost: what one guess of a password costs; tests take less.
    """

    def __init__(self, parts: Parts, *, password_cost: Cost | None = None) -> None:
        private = parts.webhook_private_networks
        self.operators = Operators(parts, Passwords(parts.random_bytes, password_cost))
        self.proposals = Proposals(parts)
        self.reviews = Reviews(parts)
        self.record_gaps = RecordGaps(parts)
        self.clients = Clients(parts)
        self.merchants = Merchants(parts)
        self.terminals = TerminalRegister(parts)
        self.citizens = CitizenSessions(parts)
        self.audit = AuditLog(parts)
        self.bills = Bills(parts.engine, parts.clock, parts.cut_off)
        self.lists = Lists(parts)
        self.settlement = Settlement(parts)
        self.webhooks = Webhooks(parts, private)
