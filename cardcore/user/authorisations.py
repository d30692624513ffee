"""Class D authorisations for phones and printed class P codes: issuing them, ending them.

An authorisation is bytes a phone keeps; with them and its own key it makes codes without a network.
Every one has a new alias and a new status index, so that terminals cannot link a person across
renewals. A renewal ends the one before it of the same device key: two never stand side by side, or
the caps would count twice.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from sqlalchemy import Row, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

import codes
from cardcore import tables
from cardcore.base64url import encode_base64url
from cardcore.errors import LimitExceededError, RequestInvalidError
from cardcore.ids import RandomBytes
from cardcore.user.authorisation_request import AuthoriseRequest, PrintCodeRequest, scope_of
from cardcore.user.authorisation_tables import code_authorisation, offline_limit, tariff_class
from cardcore.user.authorisation_views import AuthorisationView, PrintedCodeView
from cardcore.user.citizen_codes import CitizenCodes
from cardcore.user.issuer_keys import IssuingKey
from cardcore.user.people_tables import credential
from cardcore.user.status_indices import allocate_index
from codes.fields import FlagP
from codes.suites import KeyFormError, load_public_key

# Behind the end of a code: its records may come a week late and wait a while for a person.
INDEX_KEPT: Final = timedelta(days=30)
MINUTE: Final = timedelta(minutes=1)
RENEW_AFTER_SHARE: Final = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who gets it: the person, their level, and the concessions they hold today."""

    user_id: UUID
    level: str
    concessions: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Issued:
    """What was signed, as the register keeps it; no device key: it was printed."""

    token: bytes
    issuer_id: int
    status_index: int
    device_key: bytes | None
    cumulative_cap_fen: int
    issued_at: datetime
    ends_at: datetime


class Authorisations:
    """Issues what is checked off-line, on the connection of the caller's transaction."""

    def __init__(self, codes_: CitizenCodes, random_bytes: RandomBytes) -> None:
        self._codes = codes_
        self._random_bytes = random_bytes

    async def authorise(
        self,
        connection: AsyncConnection,
        holder: Holder,
        request: AuthoriseRequest,
        *,
        now: datetime,
    ) -> AuthorisationView:
        """A new authorisation for a phone's key.

        Raises:
            RequestInvalidError: no issuer key for this suite, or not a key of its algorithm.
            LimitExceededError: the level allows none, or too many are valid already.
            SceneUnknownError: a scene has no bit in a code.
        """
        suite = int(request.suite, 16)
        device_algorithm = codes.Algorithm(suite & 0x0F)
        device_key = _device_key(device_algorithm, request.key_bytes())
        limit = await _limit(connection, holder.level, "D")
        await self._end_former(connection, holder.user_id, device_key, now)
        await _check_living(connection, holder.user_id, "D", limit.living_max, now)
        validity_min = min(limit.validity_min, request.validity_min or limit.validity_min)
        ends_at = now + validity_min * MINUTE
        key = self._key(codes.Algorithm(suite >> 4), ends_at)
        token = self._random_bytes(8)
        index = await self._index(connection, key, ends_at)
        authorisation = await codes.authorise_d(
            codes.FieldsAuthorisation(
                algorithm=key.algorithm,
                issuer_id=key.issuer_id,
                kid=key.kid,
                token=token,
                status_index=index,
                scope=scope_of(request.scenes),
                purpose=_purpose(limit.cap_fen),
                authorised_at_s=int(now.timestamp()),
                validity_min=validity_min,
                cap_fen=limit.cap_fen,
                cumulative_cap_fen=limit.cumulative_cap_fen,
                uses_max=limit.uses_max,
                dynamic_ttl_s=limit.dynamic_ttl_s,
                device_algorithm=device_algorithm,
                device_key=device_key,
                tariff_class=await _tariff_class(connection, holder.concessions),
            ),
            self._codes.signer(key),
        )
        issued = _Issued(
            token=token,
            issuer_id=key.issuer_id,
            status_index=index,
            device_key=device_key,
            cumulative_cap_fen=limit.cumulative_cap_fen,
            issued_at=now,
            ends_at=ends_at,
        )
        await _register(connection, holder.user_id, issued)
        return AuthorisationView(
            authorisation=encode_base64url(authorisation.to_bytes()),
            suite=request.suite,
            issued_at=now,
            ends_at=ends_at,
            renew_after=now + (ends_at - now) / RENEW_AFTER_SHARE,
            cap_fen=limit.cap_fen,
            cumulative_cap_fen=limit.cumulative_cap_fen,
            uses_max=limit.uses_max,
            dynamic_ttl_s=limit.dynamic_ttl_s,
        )

    async def print_code(
        self,
        connection: AsyncConnection,
        holder: Holder,
        request: PrintCodeRequest,
        *,
        now: datetime,
    ) -> PrintedCodeView:
        """A new printed code. It pays on-line only, and nothing where ``cap_fen`` is 0.

        Raises:
            LimitExceededError: the level allows none, one so long or so dear, or too many.
            SceneUnknownError: a scene has no bit in a code.
        """
        limit = await _limit(connection, holder.level, "P")
        if request.cap_fen > limit.cap_fen:
            raise LimitExceededError(field="cap_fen", limit="printed_cap", limit_fen=limit.cap_fen)
        days_max = timedelta(minutes=limit.validity_min).days
        if request.validity_days > days_max:
            raise LimitExceededError(
                field="validity_days", limit="printed_validity", limit_days=days_max
            )
        await _check_living(connection, holder.user_id, "P", limit.living_max, now)
        ends_at = now + timedelta(days=request.validity_days)
        key = self._key(None, ends_at)
        token = self._random_bytes(8)
        index = await self._index(connection, key, ends_at)
        flags = (FlagP.PHOTO_CHECK if request.photo_check else 0) | (
            FlagP.PIN_REQUIRED if request.pin_required else 0
        )
        text = await codes.issue_p(
            codes.FieldsP(
                algorithm=key.algorithm,
                issuer_id=key.issuer_id,
                kid=key.kid,
                token=token,
                status_index=index,
                scope=scope_of(request.scenes),
                purpose=_purpose(request.cap_fen),
                issued_at_s=int(now.timestamp()),
                validity_days=request.validity_days,
                cap_fen=request.cap_fen,
                flags=int(flags),
                tariff_class=await _tariff_class(connection, holder.concessions),
            ),
            self._codes.signer(key),
        )
        issued = _Issued(
            token=token,
            issuer_id=key.issuer_id,
            status_index=index,
            device_key=None,
            cumulative_cap_fen=0,
            issued_at=now,
            ends_at=ends_at,
        )
        await _register(connection, holder.user_id, issued)
        return PrintedCodeView(text=text, code_class="P", issued_at=now, ends_at=ends_at)

    def _key(self, algorithm: codes.Algorithm | None, ends_at: datetime) -> IssuingKey:
        """The newest key whose window outlives what it is to sign."""
        ring = self._codes.ring
        for key in reversed(self._codes.issuing):
            public = ring.get(key.issuer_id, key.kid)
            assert public is not None
            if algorithm in (None, key.algorithm) and ends_at.timestamp() < public.not_after_s:
                return key
        raise RequestInvalidError("no issuer key signs for so long in this suite", field="suite")

    async def _index(self, connection: AsyncConnection, key: IssuingKey, ends_at: datetime) -> int:
        return await allocate_index(
            connection,
            key.issuer_id,
            expires_at=ends_at + INDEX_KEPT,
            random_bytes=self._random_bytes,
        )

    async def _end_former(
        self, connection: AsyncConnection, user_id: UUID, device_key: bytes, now: datetime
    ) -> None:
        """End what the same device key holds. Another person's device key is not touched."""
        ended = await connection.execute(
            update(code_authorisation)
            .where(
                code_authorisation.c.user_id == user_id,
                code_authorisation.c.device_key == device_key,
                code_authorisation.c.ends_at > now,
                code_authorisation.c.revoked_at.is_(None),
            )
            .values(revoked_at=now)
            .returning(code_authorisation.c.token)
        )
        tokens = list(ended.scalars())
        if not tokens:
            return
        token, row = tables.code_token.c, credential.c
        await connection.execute(
            update(tables.code_token)
            .where(token.token.in_(tokens), token.blocked.is_(None))
            .values(blocked="closed")
        )
        await connection.execute(
            update(credential)
            .where(row.token.in_(tokens), row.status == "active")
            .values(status="closed", valid_to=now)
        )


async def _register(connection: AsyncConnection, user_id: UUID, issued: _Issued) -> None:
    """Write down whose alias it is, what was issued, and the credential people see."""
    await connection.execute(
        insert(tables.code_token).values(
            token=issued.token,
            user_id=user_id,
            issued_at=issued.issued_at,
            expires_at=issued.ends_at,
        )
    )
    await connection.execute(
        insert(code_authorisation).values(
            token=issued.token,
            user_id=user_id,
            code_class="P" if issued.device_key is None else "D",
            issuer_id=issued.issuer_id,
            status_index=issued.status_index,
            device_key=issued.device_key,
            cumulative_cap_fen=issued.cumulative_cap_fen,
            issued_at=issued.issued_at,
            ends_at=issued.ends_at,
            expires_at=issued.ends_at + INDEX_KEPT,
        )
    )
    await connection.execute(
        insert(credential).values(
            credential_id=uuid4(),
            user_id=user_id,
            kind="printed_code" if issued.device_key is None else "device_key",
            status="active",
            token=issued.token,
            valid_from=issued.issued_at,
            valid_to=issued.ends_at,
            recorded_at=issued.issued_at,
        )
    )


def _purpose(cap_fen: int) -> codes.Purpose:
    if cap_fen:
        return codes.Purpose.IDENTITY | codes.Purpose.PAY
    return codes.Purpose.IDENTITY


def _device_key(algorithm: codes.Algorithm, raw: bytes) -> bytes:
    try:
        return load_public_key(algorithm, raw).raw
    except KeyFormError as error:
        raise RequestInvalidError(str(error), field="device_public_key") from None


async def _limit(connection: AsyncConnection, level: str, code_class: str) -> Row[Any]:
    row = (
        await connection.execute(
            select(offline_limit).where(
                offline_limit.c.level == level, offline_limit.c.code_class == code_class
            )
        )
    ).one_or_none()
    if row is None:
        raise LimitExceededError(
            "the person's level allows none of this class", limit=f"level:{level}"
        )
    return row


async def _check_living(
    connection: AsyncConnection, user_id: UUID, code_class: str, living_max: int, now: datetime
) -> None:
    # Two requests of one person at once must see each other's.
    await connection.execute(
        select(tables.person.c.user_id)
        .where(tables.person.c.user_id == user_id)
        .with_for_update(key_share=True)
    )
    living = (
        await connection.execute(
            select(func.count())
            .select_from(code_authorisation)
            .where(
                code_authorisation.c.user_id == user_id,
                code_authorisation.c.code_class == code_class,
                code_authorisation.c.ends_at > now,
                code_authorisation.c.revoked_at.is_(None),
            )
        )
    ).scalar_one()
    if living >= living_max:
        raise LimitExceededError(
            "too many of this class are valid at once",
            limit=f"living:{code_class}",
            limit_count=living_max,
        )


async def _tariff_class(connection: AsyncConnection, concessions: frozenset[str]) -> int:
    found = await connection.execute(
        select(func.min(tariff_class.c.tariff_class)).where(
            tariff_class.c.concession.in_(sorted(concessions))
        )
    )
    return found.scalar_one() or 0
