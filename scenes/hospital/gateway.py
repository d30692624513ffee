"""What the scene needs of an insurance gateway: one request, one answer, or silence.

Implemented in ``adapters/partners``, where a simulator is that can be told to fail in every way.
"""

from typing import ClassVar, Protocol

from cardcore.errors import CardcoreError
from scenes.hospital.messages import Envelope, Reply


class GatewaySilentError(Exception):
    """No answer came: nobody knows what became of the request. Ask or reverse, never repeat."""


class InsuranceRefusedError(CardcoreError):
    """The insurer refused; nothing was done. ``facts`` carry its code and words."""

    code: ClassVar[str] = "insurance_refused"
    title_zh: ClassVar[str] = "医保拒绝了本次请求"
    title_en: ClassVar[str] = "The insurer refused"


class InsuranceSilentError(CardcoreError):
    """The insurer does not answer, and nothing depends on it yet: try again."""

    code: ClassVar[str] = "insurance_silent"
    title_zh: ClassVar[str] = "医保暂无应答，请稍后重试"
    title_en: ClassVar[str] = "The insurer does not answer; try again later"
    retryable: ClassVar[bool] = True


class InsuranceGateway(Protocol):
    """The way to the insurer. Safe to call concurrently."""

    async def send(self, envelope: Envelope) -> Reply:
        """Send one request and wait for its answer.

        Raises:
            GatewaySilentError: none came in time, or what came cannot be read.
        """
        ...


class NoGateway:
    """The gateway of an installation that has none: everybody pays for themselves."""

    async def send(self, envelope: Envelope) -> Reply:
        """Refuses everything; nothing was sent, so nothing is unknown."""
        raise InsuranceRefusedError(
            "this installation has no insurance gateway", infno=envelope.infno.value
        )
