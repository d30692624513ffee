"""The citizen's dynamic code: issuing it through the HSM, accepting it when it is shown.

The issuer's private key never leaves the HSM. Every code carries a new random alias; only the
table ``code_token`` says whose it is.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

import codes
from cardcore import tables
from cardcore.ids import RandomBytes
from cardcore.user.code_judging import ShownCode, judge_codes, presented, scene_bit
from cardcore.user.issuer_keys import IssuingKey
from cardcore.user.presented import PresentedCode
from cardcore.user.request import IssueCodeRequest
from cardcore.user.views import IssuedCodeView
from codes.fields import CONTEXT_NONE, TTL_S_PAY_UNBOUND_MAX
from hsm_sim.interface import HSM

REFRESH_MARGIN_S: Final = 5


class CitizenCodes:
    """Issues and accepts codes.

    Args:
        hsm: holds the issuer's keys.
        ring: public keys of all issuers we trust.
        issuing: keys of our own that sign now; a new code is signed with the last.
        random_bytes: source of the aliases.
    """

    def __init__(
        self,
        *,
        hsm: HSM,
        ring: codes.KeyRing,
        issuing: Sequence[IssuingKey],
        random_bytes: RandomBytes,
    ) -> None:
        self._hsm = hsm
        self.ring = ring
        self.issuing = tuple(issuing)
        self._random_bytes = random_bytes

    def change_keys(self, ring: codes.KeyRing, issuing: Sequence[IssuingKey]) -> None:
        """Trust this ring, and sign with these keys, from now on."""
        self.ring = ring
        self.issuing = tuple(issuing)

    async def issue(
        self,
        connection: AsyncConnection,
        user_id: UUID,
        request: IssueCodeRequest,
        *,
        now: datetime,
        key: IssuingKey | None = None,
    ) -> IssuedCodeView:
        """A new class S code of a user; its alias is registered in the caller's transaction.

        Raises:
            SceneUnknownError: a scene has no bit in the code.
            CodeMalformedError: never for a request that passed its model.
        """
        key = key or self.issuing[-1]
        scope = codes.Scope(0)
        for scene in request.scenes:
            scope |= scene_bit(scene)
        purpose = codes.Purpose.IDENTITY
        if request.cap_fen:
            purpose |= codes.Purpose.PAY
        context = CONTEXT_NONE
        ttl_s = request.ttl_s
        if request.context is not None:
            context = codes.context_of(request.context, key.algorithm)
        elif request.cap_fen:
            ttl_s = min(ttl_s, TTL_S_PAY_UNBOUND_MAX)
        token = self._random_bytes(8)
        label = key.label

        async def signer(message: bytes) -> bytes:
            return await self._hsm.sign(label, message)

        text = await codes.issue_s(
            codes.FieldsS(
                algorithm=key.algorithm,
                issuer_id=key.issuer_id,
                kid=key.kid,
                token=token,
                jti=self._random_bytes(8),
                scope=scope,
                purpose=purpose,
                issued_at_s=int(now.timestamp()),
                cap_fen=request.cap_fen,
                context=context,
                ttl_s=ttl_s,
            ),
            signer,
        )
        expires_at = now + timedelta(seconds=ttl_s)
        await connection.execute(
            insert(tables.code_token).values(
                token=token, user_id=user_id, issued_at=now, expires_at=expires_at
            )
        )
        return IssuedCodeView(
            text=text,
            code_class="S",
            issued_at=now,
            expires_at=expires_at,
            refresh_after_s=max(ttl_s - REFRESH_MARGIN_S, 5),
        )

    def signer(self, key: IssuingKey) -> codes.Signer:
        """Signs with one of our keys, in the HSM."""

        async def sign(message: bytes) -> bytes:
            return await self._hsm.sign(key.label, message)

        return sign

    def accept(
        self, text: str, *, scene: str, places: tuple[str, ...], pays: bool, now: datetime
    ) -> PresentedCode:
        """Judge a scanned text by everything but its past use.

        Raises:
            SceneUnknownError: no code is good for such a scene.
            CodeRefusedError: with the stable reason.
        """
        shown = ShownCode(text, scene, places, pays, int(now.timestamp()))
        scene_bit(scene)
        (verdict,) = judge_codes([shown], self.ring)
        return presented(verdict)
