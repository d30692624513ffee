"""Codes judged as they are shown, all that wait at one moment together.

The signature of a code is the largest single part of an order's work and holds the interpreter. It
needs nothing but the code, the ring and the clock, so a batch of codes may be judged by another
process; values are plain tuples, so that it goes and comes in one small message each.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, NamedTuple, Protocol

import codes
from cardcore.errors import CodeRefusedError, SceneUnknownError
from cardcore.user.presented import PresentedCode
from codes.acceptance import AuthorisationCache

_MEMORY: Final = codes.VerifierMemory(authorisations=AuthorisationCache())


class ShownCode(NamedTuple):
    """A scanned text, for which scene and at which places, whether it is to pay, Unix seconds."""

    text: str
    scene: str
    places: tuple[str, ...]
    pays: bool
    at_s: int


class AcceptedCode(NamedTuple):
    """What ``PresentedCode`` says, plain."""

    code_class: str
    token: bytes
    replay_key: bytes
    digest: bytes
    cap_fen: int
    expires_at_s: int


class RefusedCode(NamedTuple):
    """The stable reason of a refusal, and its words for a log."""

    reason: str
    detail: str


class FaultyCode(NamedTuple):
    """Judging this code met a fault of ours; ``fault`` names the exception."""

    fault: str


Verdict = AcceptedCode | RefusedCode | FaultyCode


def judge_codes(shown: Sequence[ShownCode], ring: codes.KeyRing) -> list[Verdict]:
    """One verdict each, in order; never raises for one code's sake."""
    return [_verdict(one, ring) for one in shown]


def _verdict(shown: ShownCode, ring: codes.KeyRing) -> Verdict:
    try:
        accepted = codes.verify(
            shown.text,
            ring,
            None,
            _policy(shown.scene, shown.places, shown.pays),
            shown.at_s,
            None,
            memory=_MEMORY,
        )
    except codes.CodeError as refused:
        return RefusedCode(refused.code, str(refused))
    except Exception as fault:  # noqa: BLE001  (told to whoever showed it, not to its neighbours)
        return FaultyCode(type(fault).__qualname__)
    return AcceptedCode(
        accepted.code_class.name,
        accepted.token,
        accepted.replay_key,
        accepted.digest,
        accepted.cap_fen,
        accepted.expires_at_s,
    )


def presented(verdict: Verdict) -> PresentedCode:
    """The accepted code.

    Raises:
        CodeRefusedError: with the stable reason.
        RuntimeError: a fault of ours.
    """
    if isinstance(verdict, RefusedCode):
        raise CodeRefusedError(verdict.reason, verdict.detail)
    if isinstance(verdict, FaultyCode):
        raise RuntimeError(f"judging a code met {verdict.fault}")  # noqa: TRY004  (no type's fault)
    return PresentedCode(
        code_class=verdict.code_class,
        token=verdict.token,
        replay_key=verdict.replay_key,
        digest=verdict.digest,
        cap_fen=verdict.cap_fen,
        expires_at=datetime.fromtimestamp(verdict.expires_at_s, UTC),
    )


class CodeJudge(Protocol):
    """Where batches of codes are judged: here, or in a process that does nothing else."""

    async def judge(self, shown: Sequence[ShownCode], ring: codes.KeyRing) -> list[Verdict]:
        """As ``judge_codes``."""
        ...


class JudgeCodesHere:
    """Judges in the caller's own process. A ``CodeJudge``."""

    async def judge(self, shown: Sequence[ShownCode], ring: codes.KeyRing) -> list[Verdict]:
        """See ``CodeJudge``."""
        return judge_codes(shown, ring)


def scene_bit(scene: str) -> codes.Scope:
    """The bit of a scene in a code's scope.

    Raises:
        SceneUnknownError: no code is good for such a scene.
    """
    try:
        return codes.Scope[scene.upper()]
    except KeyError:
        raise SceneUnknownError(f"no code can be issued for {scene!r}", field="scenes") from None


@lru_cache(maxsize=4096)
def _policy(scene: str, places: tuple[str, ...], pays: bool) -> codes.Policy:  # noqa: FBT001
    return codes.Policy(
        scope=scene_bit(scene),
        needs=codes.Purpose.PAY if pays else codes.Purpose.IDENTITY,
        place_ids=places,
        online=True,
        # Whose alias it is, and whether they are frozen, is looked up in the order's transaction.
        status_by_caller=True,
    )
