"""``/v1/proposals``: what needs a second pair of eyes."""

from typing import Final

from adapters.http.operation import Answer, Call, Noun
from adapters.http.operators import SESSION
from cardcore.caller import Scope
from cardcore.errors import NotFoundError
from cardcore.platform.errors import (
    OwnProposalError,
    ProposalChangedError,
    ProposalImpossibleError,
    ProposalStateError,
)
from cardcore.platform.key_epochs import IssuerKeysView
from cardcore.platform.request import Decision, NewProposal
from cardcore.platform.views import ProposalsView, ProposalView

PROPOSALS: Final = Noun(
    "proposals",
    "Money adjustments, limits, keys and settlement: proposed by one, decided by another.",
)
_DECISION: Final = {"digest": "0" * 64, "purpose": "核对工单 2026-118"}
_REFUSALS: Final = (
    *SESSION,
    NotFoundError,
    OwnProposalError,
    ProposalChangedError,
    ProposalStateError,
)


@PROPOSALS.operation(
    "POST",
    "/v1/proposals",
    summary="Propose",
    body=NewProposal,
    reply=ProposalView,
    status=201,
    keyed=True,
    access="operator",
    scope=Scope.PROPOSALS_WRITE,
    refusals=SESSION,
    examples={
        "limit": {
            "content": {"kind": "set_fund_limit", "fund": "transit", "balance_fen_max": 200000},
            "purpose": "2026 年限额调整",
        },
        "money": {
            "content": {
                "kind": "adjust_money",
                "from_account": "suspense",
                "to_account": "payable:bus-shanting",
                "amount_fen": 1200,
            },
            "purpose": "工单 2026-118",
        },
        "tariff": {
            "content": {
                "kind": "set_settlement_tariff",
                "rates": [
                    {
                        "scene": "bus",
                        "merchant_id": "bus-shanting",
                        "tiers": [
                            {"from_fen": 0, "per_million": 6000},
                            {"from_fen": 10000000, "per_million": 3000},
                        ],
                        "min_fen": 100,
                        "max_fen": 5000000,
                    }
                ],
            },
            "purpose": "2026 年结算费率",
        },
        "payee": {
            "content": {
                "kind": "set_settlement_payee",
                "merchant_id": "bus-shanting",
                "payee": "6222 0210 0100 0042",
            },
            "purpose": "收款账户变更，函 2026-7",
        },
        "hold": {
            "content": {"kind": "set_hold_time", "scene": "hospital", "timeout_s": 1296000},
            "purpose": "住院预授权期限",
        },
        "record": {
            "content": {
                "kind": "charge_record",
                "record_id": "0b8f4ad2-57a1-4a39-9a0c-0d7b6c7c7a11",
                "amount_fen": 100,
            },
            "purpose": "工单 2026-119",
        },
        "dispute": {
            "content": {
                "kind": "decide_dispute",
                "dispute_id": "0b8f4ad2-57a1-4a39-9a0c-0d7b6c7c7a12",
                "finding": "merchant",
                "grounds": "amount_right",
            },
            "purpose": "争议 2026-31",
        },
        "key": {"content": {"kind": "rotate_access_key"}, "purpose": "年度轮换"},
        "issuer key": {
            "content": {"kind": "rotate_issuer_key", "use": "codes", "suite": "p256"},
            "purpose": "年度轮换",
        },
    },
)
async def propose(call: Call[NewProposal]) -> Answer:
    """Nothing happens until another operator approves. Open for seven days."""
    proposals = call.core.platform.proposals
    view, replayed = await proposals.propose(call.caller, call.body, call.key)
    return Answer(view=view, replayed=replayed)


@PROPOSALS.operation(
    "GET",
    "/v1/proposals",
    summary="List what waits for a decision",
    reply=ProposalsView,
    access="operator",
    scope=Scope.PROPOSALS_WRITE,
    refusals=SESSION,
)
async def list_proposals(call: Call[None]) -> Answer:
    """Oldest first."""
    return Answer(view=await call.core.platform.proposals.waiting(call.caller))


@PROPOSALS.operation(
    "GET",
    "/v1/proposals/{proposal_id}",
    summary="Read a proposal",
    reply=ProposalView,
    access="operator",
    scope=Scope.PROPOSALS_WRITE,
    refusals=(*SESSION, NotFoundError),
)
async def read_proposal(call: Call[None]) -> Answer:
    """What is proposed, by whom, and what became of it."""
    return Answer(view=await call.core.platform.proposals.read(call.caller, call.id("proposal_id")))


@PROPOSALS.operation(
    "POST",
    "/v1/proposals/{proposal_id}/approve",
    summary="Approve and carry out",
    body=Decision,
    reply=ProposalView,
    access="operator",
    scope=Scope.PROPOSALS_DECIDE,
    refusals=(*_REFUSALS, ProposalImpossibleError),
    examples={"decision": _DECISION},
)
async def approve_proposal(call: Call[Decision]) -> Answer:
    """By another operator than proposed it, naming the digest that was read; done at once."""
    proposals = call.core.platform.proposals
    return Answer(view=await proposals.approve(call.caller, call.id("proposal_id"), call.body))


@PROPOSALS.operation(
    "POST",
    "/v1/proposals/{proposal_id}/reject",
    summary="Reject",
    body=Decision,
    reply=ProposalView,
    access="operator",
    scope=Scope.PROPOSALS_DECIDE,
    refusals=_REFUSALS,
    examples={"decision": _DECISION},
)
async def reject_proposal(call: Call[Decision]) -> Answer:
    """By another operator than proposed it; nothing is done."""
    proposals = call.core.platform.proposals
    return Answer(view=await proposals.reject(call.caller, call.id("proposal_id"), call.body))


@PROPOSALS.operation(
    "POST",
    "/v1/proposals/{proposal_id}/withdraw",
    summary="Withdraw one's own proposal",
    reply=ProposalView,
    access="operator",
    scope=Scope.PROPOSALS_WRITE,
    refusals=(*SESSION, NotFoundError, ProposalStateError),
)
async def withdraw_proposal(call: Call[None]) -> Answer:
    """Another's is not found."""
    proposals = call.core.platform.proposals
    return Answer(view=await proposals.withdraw(call.caller, call.id("proposal_id")))


@PROPOSALS.operation(
    "GET",
    "/v1/issuer-keys",
    summary="The issuer's keys and their epochs",
    reply=IssuerKeysView,
    access="operator",
    scope=Scope.PROPOSALS_WRITE,
    refusals=SESSION,
)
async def list_issuer_keys(call: Call[None]) -> Answer:
    """Which sign now, which wait, until when each is believed. Public halves: `/v1/key-ring`."""
    return Answer(view=await call.core.platform.proposals.issuer_keys(call.caller))
