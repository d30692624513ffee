"""``/v1/merchants`` and their terminals: registered, changed, suspended, closed."""

from typing import Final

from adapters.http.operation import Answer, Call, Noun
from adapters.http.operators import SESSION
from adapters.http.terminals import terminal_id_of
from cardcore.caller import Scope
from cardcore.errors import (
    MerchantUnknownError,
    ObligationsOpenError,
    SceneUnknownError,
    TerminalUnknownError,
)
from cardcore.platform.errors import (
    MerchantClosedError,
    MerchantExistsError,
    TerminalExistsError,
    TerminalRetiredError,
)
from cardcore.platform.merchant_request import (
    MerchantDetails,
    MerchantsView,
    MerchantView,
    NewMerchant,
    NewPlace,
    NewTerminal,
    RegisteredTerminalsView,
    RegisteredTerminalView,
    TerminalPage,
)
from cardcore.platform.request import ForPurpose, Page

MERCHANTS: Final = Noun(
    "merchants",
    "Who is paid, and the terminals they serve with. By token, or an operator's session.",
)
_MERCHANT: Final = "/v1/merchants/{merchant_id}"
_TERMINAL: Final = "/v1/terminals/{terminal_id}"
_CHANGED: Final = (*SESSION, MerchantUnknownError, MerchantClosedError)
_TERMINAL_CHANGED: Final = (*SESSION, TerminalUnknownError, TerminalRetiredError)


@MERCHANTS.operation(
    "POST",
    "/v1/merchants",
    summary="Register a merchant",
    body=NewMerchant,
    reply=MerchantView,
    status=201,
    access="office",
    scope=Scope.MERCHANTS_WRITE,
    refusals=(*SESSION, MerchantExistsError),
    examples={
        "museum": {
            "merchant_id": "city-museum",
            "name_zh": "市博物馆",
            "name_en": "City Museum",
            "uscc": "91110000600037341L",
            "purpose": "合同 2026-57",
        }
    },
)
async def register_merchant(call: Call[NewMerchant]) -> Answer:
    """Its id is the key: the same again is answered with what is there. Opens its accounts."""
    return Answer(view=await call.core.platform.merchants.register(call.caller, call.body))


@MERCHANTS.operation(
    "GET",
    "/v1/merchants",
    summary="List merchants",
    body=Page,
    reply=MerchantsView,
    access="office",
    scope=Scope.MERCHANTS_READ,
    refusals=SESSION,
)
async def list_merchants(call: Call[Page]) -> Answer:
    """By id; go on with `next_cursor`. A merchant's own client sees that merchant."""
    return Answer(view=await call.core.platform.merchants.list(call.caller, call.body))


@MERCHANTS.operation(
    "GET",
    _MERCHANT,
    summary="Read a merchant",
    reply=MerchantView,
    access="office",
    scope=Scope.MERCHANTS_READ,
    refusals=(*SESSION, MerchantUnknownError),
)
async def read_merchant(call: Call[None]) -> Answer:
    """Names, credit identifier, and whether it is open."""
    merchants = call.core.platform.merchants
    return Answer(view=await merchants.read(call.caller, call.path["merchant_id"]))


@MERCHANTS.operation(
    "POST",
    f"{_MERCHANT}/details",
    summary="Correct a merchant's names or credit identifier",
    body=MerchantDetails,
    reply=MerchantView,
    access="office",
    scope=Scope.MERCHANTS_WRITE,
    refusals=_CHANGED,
    examples={"name": {"name_zh": "山亭公共交通", "purpose": "更名通知 2026-9"}},
)
async def change_merchant(call: Call[MerchantDetails]) -> Answer:
    """What is left out stays as it is; the audit log keeps who changed it and why."""
    merchants = call.core.platform.merchants
    return Answer(view=await merchants.change(call.caller, call.path["merchant_id"], call.body))


@MERCHANTS.operation(
    "POST",
    f"{_MERCHANT}/suspend",
    summary="Suspend a merchant",
    body=ForPurpose,
    reply=MerchantView,
    access="office",
    scope=Scope.MERCHANTS_WRITE,
    refusals=_CHANGED,
    examples={"inquiry": {"purpose": "风控核查 2026-3"}},
)
async def suspend_merchant(call: Call[ForPurpose]) -> Answer:
    """It takes no new orders. What it has open can be captured, voided and refunded."""
    merchants = call.core.platform.merchants
    return Answer(view=await merchants.suspend(call.caller, call.path["merchant_id"], call.body))


@MERCHANTS.operation(
    "POST",
    f"{_MERCHANT}/resume",
    summary="Let a merchant take orders again",
    body=ForPurpose,
    reply=MerchantView,
    access="office",
    scope=Scope.MERCHANTS_WRITE,
    refusals=_CHANGED,
    examples={"cleared": {"purpose": "核查结束 2026-3"}},
)
async def resume_merchant(call: Call[ForPurpose]) -> Answer:
    """From the next order on."""
    merchants = call.core.platform.merchants
    return Answer(view=await merchants.resume(call.caller, call.path["merchant_id"], call.body))


@MERCHANTS.operation(
    "POST",
    f"{_MERCHANT}/close",
    summary="Close a merchant for good",
    body=ForPurpose,
    reply=MerchantView,
    access="office",
    scope=Scope.MERCHANTS_WRITE,
    refusals=(*SESSION, MerchantUnknownError, ObligationsOpenError),
    examples={"left": {"purpose": "合同到期"}},
)
async def close_merchant(call: Call[ForPurpose]) -> Answer:
    """Once nothing is held, disputed or unsettled; `facts.open` names what is.

    Its terminals are retired, its clients revoked, its webhooks disabled.
    """
    merchants = call.core.platform.merchants
    return Answer(view=await merchants.close(call.caller, call.path["merchant_id"], call.body))


@MERCHANTS.operation(
    "POST",
    f"{_MERCHANT}/terminals",
    summary="Register a terminal",
    body=NewTerminal,
    reply=RegisteredTerminalView,
    status=201,
    access="office",
    scope=Scope.TERMINALS_WRITE,
    refusals=(*_CHANGED, SceneUnknownError, TerminalExistsError),
    examples={
        "validator": {
            "terminal_id": "bus-V0207",
            "scene": "bus",
            "place": {"vehicle": "V0207"},
            "purpose": "新车上线",
        }
    },
)
async def register_terminal(call: Call[NewTerminal]) -> Answer:
    """It gets its key by enrolling, with an activation code. Neither merchant nor scene change."""
    terminals = call.core.platform.terminals
    view = await terminals.register(call.caller, call.path["merchant_id"], call.body)
    return Answer(view=view)


@MERCHANTS.operation(
    "GET",
    f"{_MERCHANT}/terminals",
    summary="List a merchant's terminals",
    body=TerminalPage,
    reply=RegisteredTerminalsView,
    access="office",
    scope=Scope.TERMINALS_READ,
    refusals=(*SESSION, MerchantUnknownError),
)
async def list_terminals(call: Call[TerminalPage]) -> Answer:
    """By id; those out of service too, unless `status` says which."""
    terminals = call.core.platform.terminals
    return Answer(view=await terminals.list(call.caller, call.path["merchant_id"], call.body))


@MERCHANTS.operation(
    "POST",
    f"{_TERMINAL}/place",
    summary="Say where a terminal stands now",
    body=NewPlace,
    reply=RegisteredTerminalView,
    access="office",
    scope=Scope.TERMINALS_WRITE,
    refusals=_TERMINAL_CHANGED,
    examples={"moved": {"place": {"vehicle": "V0188"}, "purpose": "换车"}},
)
async def move_terminal(call: Call[NewPlace]) -> Answer:
    """From the next order on; the terminal itself learns it at its next enrolment."""
    terminals = call.core.platform.terminals
    return Answer(view=await terminals.move(call.caller, terminal_id_of(call), call.body))


@MERCHANTS.operation(
    "POST",
    f"{_TERMINAL}/suspend",
    summary="Suspend a terminal",
    body=ForPurpose,
    reply=RegisteredTerminalView,
    access="office",
    scope=Scope.TERMINALS_WRITE,
    refusals=_TERMINAL_CHANGED,
    examples={"repair": {"purpose": "送修"}},
)
async def suspend_terminal(call: Call[ForPurpose]) -> Answer:
    """No orders, no package, no records until it is resumed; what it holds it keeps."""
    terminals = call.core.platform.terminals
    return Answer(view=await terminals.suspend(call.caller, terminal_id_of(call), call.body))


@MERCHANTS.operation(
    "POST",
    f"{_TERMINAL}/resume",
    summary="Let a terminal work again",
    body=ForPurpose,
    reply=RegisteredTerminalView,
    access="office",
    scope=Scope.TERMINALS_WRITE,
    refusals=_TERMINAL_CHANGED,
    examples={"repaired": {"purpose": "修复"}},
)
async def resume_terminal(call: Call[ForPurpose]) -> Answer:
    """With the key it had."""
    terminals = call.core.platform.terminals
    return Answer(view=await terminals.resume(call.caller, terminal_id_of(call), call.body))


@MERCHANTS.operation(
    "POST",
    f"{_TERMINAL}/retire",
    summary="Retire a terminal for good",
    body=ForPurpose,
    reply=RegisteredTerminalView,
    access="office",
    scope=Scope.TERMINALS_WRITE,
    refusals=(*SESSION, TerminalUnknownError),
    examples={"scrapped": {"purpose": "报废"}},
)
async def retire_terminal(call: Call[ForPurpose]) -> Answer:
    """Its client is out at once. Let it bring its records first: afterwards it cannot."""
    terminals = call.core.platform.terminals
    return Answer(view=await terminals.retire(call.caller, terminal_id_of(call), call.body))
