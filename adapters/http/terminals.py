"""``/v1/terminals`` and ``/v1/enrolments``: how a terminal gets a key of its own, and loses it."""

import re
from typing import Annotated, Any, Final

from pydantic import StringConstraints

from adapters.http.examples import ENROLMENT, REVOCATION
from adapters.http.headers import etags
from adapters.http.operation import Answer, Call, Noun
from cardcore.caller import Scope
from cardcore.errors import TerminalUnknownError
from cardcore.model import Model
from cardcore.terminals.errors import ActivationRefusedError, TerminalKeysExhaustedError
from cardcore.terminals.request import EnrolmentRequest, RevocationRequest
from cardcore.terminals.views import ActivationCodeView, EnrolledTerminal, TerminalView

TERMINALS: Final = Noun("terminals", "Terminals: enrolled once, each with a key of its own.")
_PRINTED_NUMBER: Final = re.compile(r"[0-9A-Za-z_.:\-]{1,64}")


def terminal_id_of(call: Call[Any]) -> str:
    """The terminal in the path.

    Raises:
        TerminalUnknownError: not the form of a terminal id, so nothing is named by it.
    """
    text = call.path["terminal_id"]
    if _PRINTED_NUMBER.fullmatch(text) is None:
        raise TerminalUnknownError(field="terminal_id")
    return text


class EnrolmentView(EnrolledTerminal):
    """What an enrolled terminal is, and where it gets its access tokens."""

    token_url: str


@TERMINALS.operation(
    "POST",
    "/v1/terminals/{terminal_id}/activation-codes",
    summary="Give a terminal an activation code",
    reply=ActivationCodeView,
    status=201,
    scope=Scope.TERMINALS_WRITE,
    refusals=(TerminalUnknownError, TerminalKeysExhaustedError),
    headers={"Cache-Control": "no-store"},
)
async def give_activation_code(call: Call[None]) -> Answer:
    """A code of 100 random bits, good once within 24 hours; it replaces an unused one before it.

    The request has no body. The code is shown in this answer alone.
    """
    return Answer(view=await call.core.give_activation_code(call.caller, terminal_id_of(call)))


@TERMINALS.operation(
    "POST",
    "/v1/enrolments",
    summary="Enrol a terminal's own key",
    body=EnrolmentRequest,
    reply=EnrolmentView,
    status=201,
    public=True,
    refusals=(ActivationRefusedError,),
    examples={"ed25519": ENROLMENT},
    headers={"Cache-Control": "no-store"},
)
async def enrol(call: Call[EnrolmentRequest]) -> Answer:
    """The activation code and a proof of the new key, which then is client key and record key.

    No token: the code is the proof. A wrong, used or expired code, or a wrong proof, has one
    answer; after five of them the code is burnt.
    """
    enrolled = await call.core.enrol(call.body)
    return Answer(view=EnrolmentView(**enrolled.model_dump(), token_url=call.settings.token_url))


@TERMINALS.operation(
    "GET",
    "/v1/terminals/{terminal_id}",
    summary="Read a terminal",
    reply=TerminalView,
    scope=Scope.TERMINALS_READ,
    refusals=(TerminalUnknownError,),
)
async def read_terminal(call: Call[None]) -> Answer:
    """Merchant, place, and the history of its keys."""
    return Answer(view=await call.core.read_terminal(call.caller, terminal_id_of(call)))


@TERMINALS.operation(
    "POST",
    "/v1/terminals/{terminal_id}/revocation",
    summary="Revoke a stolen terminal",
    body=RevocationRequest,
    reply=TerminalView,
    scope=Scope.TERMINALS_WRITE,
    refusals=(TerminalUnknownError,),
    examples={"stolen": REVOCATION},
)
async def revoke_terminal(call: Call[RevocationRequest]) -> Answer:
    """Its client is out at once; records it signed since then wait for a person to look at them.

    What it signed before stays good. A new activation code enrols it again with a new key.
    """
    return Answer(
        view=await call.core.revoke_terminal(call.caller, terminal_id_of(call), call.body)
    )


class PackageQuery(Model):
    """``held``: ETag, without quotes, of the version the changes may stand on."""

    held: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] | None = None


@TERMINALS.operation(
    "GET",
    "/v1/terminal-package",
    summary="Fetch what this terminal works with",
    body=PackageQuery,
    reply=None,
    media_type="application/octet-stream",
    not_modified=True,
    scope=Scope.TERMINALS_READ,
    refusals=(TerminalUnknownError,),
    headers={"Cache-Control": "private, no-cache"},
)
async def terminal_package(call: Call[PackageQuery]) -> Answer:
    """Keys, parameters, status list, and what the scene adds (fares, doors), signed as one.

    With `If-None-Match` of the version in force: 304. With `held` of a version the server still
    has: only what changed (`Package-Form: delta`); else all of it (`whole`).
    """
    served = await call.core.terminal_package(
        call.caller, held=call.body.held, has=etags(call.headers, b"if-none-match")
    )
    headers = {"ETag": f'"{served.etag}"'}
    if served.container is None:
        return Answer(status=304, content=b"", headers=headers)
    headers["Package-Form"] = "delta" if served.is_delta else "whole"
    return Answer(content=served.container, headers=headers)
