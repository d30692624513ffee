"""What the service is built from, and what all its parts share."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import time
from ipaddress import IPv4Network, IPv6Network

from psycopg_pool import AsyncConnectionPool
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncEngine

from cardcore.account.channel import PaymentChannel
from cardcore.account.funding_policy import FundingPlans
from cardcore.business.order_rules import RuleBook
from cardcore.calendar import CUT_OFF_DEFAULT
from cardcore.connections import RawConnection
from cardcore.ids import RandomBytes
from cardcore.ports import Clock, NoReplayHints, ReplayHints, ScenePricer
from cardcore.terminals.packages import PackageSigning
from cardcore.terminals.record_judging import JudgeHere, RecordJudge
from cardcore.terminals.scene import TerminalScene
from cardcore.user.citizen_codes import CitizenCodes
from cardcore.user.code_judging import CodeJudge, JudgeCodesHere
from hsm_sim.interface import CardHSM
from ledger import Ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the service is built from. Made by the wiring alone.

    ``by_key`` serves what is asked and written for every order by single statements (each is a
    transaction of its own, planned once), ``pool`` whole transactions of the hot paths, and
    ``engine`` everything else; all lead to one database.
    """

    engine: AsyncEngine
    pool: AsyncConnectionPool[RawConnection]
    by_key: AsyncConnectionPool[RawConnection]
    book: Ledger
    hsm: CardHSM
    codes: CitizenCodes
    pricers: Mapping[str, ScenePricer]
    plans: FundingPlans
    clock: Clock
    random_bytes: RandomBytes
    hints: ReplayHints = field(default_factory=NoReplayHints)
    terminal_scenes: Mapping[str, TerminalScene] = field(default_factory=dict)
    package_signing: PackageSigning
    record_judge: RecordJudge = field(default_factory=JudgeHere)
    code_judge: CodeJudge = field(default_factory=JudgeCodesHere)
    channels: Mapping[str, PaymentChannel] = field(default_factory=dict)
    cut_off: time = CUT_OFF_DEFAULT
    rules: RuleBook = field(default_factory=RuleBook)
    webhook_private_networks: Sequence[IPv4Network | IPv6Network] = ()


def request_digest(action: str, request: BaseModel) -> bytes:
    """SHA-256 over what was asked: two requests with the same key must be the same request."""
    return hashlib.sha256(action.encode() + b"\0" + request.model_dump_json().encode()).digest()
