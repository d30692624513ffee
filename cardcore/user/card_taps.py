"""Accepting a card's tap: from evidence to the same presented value a scanned code becomes.

Every forgery has one answer: a token nobody gave, a key nobody has, a wrong TAC are told apart only
in here. Whether the tap was used before is judged by the database, in the transaction that spends
it, as for codes; the key of that judgement names the card, since two tokens may be one card.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

import codes
from cardcore.errors import ServiceUnavailableError
from cardcore.user.card_errors import (
    CardCounterError,
    CardDomainError,
    CardInactiveError,
    CardLostError,
    CardTapError,
    CardTapExpiredError,
)
from cardcore.user.card_life import CardState, CardStatus
from cardcore.user.card_tables import card, card_event, card_key, card_token
from cardcore.user.card_vault import CardVault, key_number
from cardcore.user.cards import CARD_SUITE
from cardcore.user.presented import PresentedCode
from codes.card_tap import CardSuite, CardTap, TapPolicy, check_tap, decode_tap, read_tap
from codes.errors import ClockSkewError, CodeExpiredError, CodeMalformedError
from hsm_sim.interface import CardHSM, HSMError, SignatureInvalidError

FIELD: Final = "user.card"
TAP_CLASS: Final = "T"
# A tap accepted online must still be known when a terminal uploads it as offline: a week later, and
# a day for the road.
REMEMBERED: Final = timedelta(days=8)
SUITE_NAME: Final = {CardSuite.SM4: "sm4", CardSuite.TDES: "3des"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TapPlace:
    """Where a tap was made."""

    scene: str
    merchant_id: str
    terminal_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundTap:
    """A tap whose form is right, and the card its token leads to, if any.

    ``state`` is the card's at the instant the tap is judged for. ``is_late``: it comes in a record.
    """

    tap: CardTap
    row: Row[Any] | None
    state: CardState | None
    is_late: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PresentedCard:
    """An accepted tap. ``user_id`` is the holder at the instant it was judged for."""

    code: PresentedCode
    card_id: UUID
    user_id: UUID
    ends_at: datetime


async def find_tap(connection: AsyncConnection, text: str) -> FoundTap:
    """The card behind a tap shown right now. Raises ``CardTapError``: not the text of a tap."""
    try:
        tap = decode_tap(text)
    except CodeMalformedError:
        raise CardTapError(field=FIELD) from None
    row = await _find(connection, tap)
    return FoundTap(tap=tap, row=row, state=None if row is None else _state(row), is_late=False)


async def find_late_tap(connection: AsyncConnection, evidence: bytes, at: datetime) -> FoundTap:
    """The card behind the tap in a terminal's record, as it stood at the record's instant.

    A tap before the loss report is the holder's of that day; one after it will be refused, and who
    bears it is for the caller to say. Records come in any order, so the counter is not judged:
    ``codes.double_spend.cloned_keys`` does that over records.

    Raises:
        CardTapError: not the bytes of a tap.
    """
    try:
        tap = read_tap(evidence)
    except CodeMalformedError:
        raise CardTapError(field=FIELD) from None
    row = await _find(connection, tap)
    state = None if row is None else await _state_at(connection, row.card_id, at)
    return FoundTap(tap=tap, row=row, state=state, is_late=True)


class CardTaps:
    """Judges taps that were found. Needs no connection: none is held while the module works.

    Args:
        hsm: checks TACs with the card's own key; no key ever leaves it.
        policy: how far the terminal's clock may be off.
    """

    def __init__(self, hsm: CardHSM, policy: TapPolicy | None = None) -> None:
        self._hsm = hsm
        self._vault = CardVault(hsm)
        self._policy = policy or TapPolicy()

    async def judge(
        self, found: FoundTap, place: TapPlace, *, pays: bool, at: datetime, on: date
    ) -> PresentedCard:
        """Judge a tap by everything but its past use.

        Args:
            found: from ``find_tap`` or ``find_late_tap``.
            place: where it was shown.
            pays: is money asked for?
            at: now, or the record's instant.
            on: business date of ``at``.

        Returns:
            The tap as the presented code it becomes. A late one names its holder by ``user_id``
            alone: the card may have another one today.

        Raises:
            CardTapError: kin: not of now, not of here, forged, another domain, an old counter.
            CardLostError, CardInactiveError: the card is not good.
            ServiceUnavailableError: the security module does not answer.
        """
        tap, row = found.tap, found.row
        _check_form(tap, place, pays=pays, at=at, policy=self._policy)
        if row is None:
            raise CardTapError(field=FIELD)
        await self._check_tac(tap, row)
        if row.revoked_at is not None and row.revoked_at <= at:
            status = "unbound" if row.status == CardStatus.ACTIVE.value else row.status
            raise CardInactiveError("its token is not good any more", field=FIELD, status=status)
        domain = ((row.scene, place.scene), (row.merchant_id, place.merchant_id))
        if any(wanted not in (None, there) for wanted, there in domain):
            raise CardDomainError(field=FIELD)
        user_id = _holder(found.state, row, on)
        # The counter of the last spent tap itself is left to the judge of replays.
        if not found.is_late and tap.counter < row.tap_counter:
            raise CardCounterError(field=FIELD, counter=tap.counter, last=row.tap_counter)
        made_at = datetime.fromtimestamp(tap.made_at_s, UTC)
        return PresentedCard(
            code=PresentedCode(
                code_class=TAP_CLASS,
                # The card's own token leads to nobody in the order's facts, its alias does.
                token=tap.token if found.is_late else row.alias,
                replay_key=replay_key(row.card_id, tap.counter),
                digest=tap.digest,
                cap_fen=tap.amount_fen,
                expires_at=made_at + REMEMBERED,
            ),
            card_id=row.card_id,
            user_id=user_id,
            ends_at=made_at + timedelta(seconds=self._policy.age_s_max),
        )

    async def _check_tac(self, tap: CardTap, row: Row[Any]) -> None:
        try:
            number = await self._vault.open(row.card_id, row.number_sealed)
            await self._hsm.verify_tac(
                row.label, tap.tac_message, tap.tac, card_no=key_number(number)
            )
        except SignatureInvalidError:
            raise CardTapError(field=FIELD) from None
        except HSMError as error:
            if error.retryable:
                raise ServiceUnavailableError("the security module does not answer") from error
            raise


async def register_card_key(
    connection: AsyncConnection,
    *,
    issuer_id: int,
    key_version: int,
    suite: CardSuite,
    label: str,
    now: datetime,
) -> None:
    """Name the security module's key behind a key version; naming it again changes nothing."""
    await connection.execute(
        insert(card_key)
        .values(
            issuer_id=issuer_id,
            key_version=key_version,
            suite=SUITE_NAME[suite],
            label=label,
            recorded_at=now,
        )
        .on_conflict_do_nothing()
    )


def replay_key(card_id: UUID, counter: int) -> bytes:
    """What makes a tap the same tap; a trigger reads the counter back from it."""
    return b"T" + card_id.bytes + counter.to_bytes(2, "big")


def _check_form(
    tap: CardTap, place: TapPlace, *, pays: bool, at: datetime, policy: TapPolicy
) -> None:
    try:
        check_tap(
            tap,
            terminal_id=place.terminal_id,
            pays=pays,
            now_s=int(at.timestamp()),
            policy=policy,
        )
    except (ClockSkewError, CodeExpiredError) as refused:
        raise CardTapExpiredError(field=FIELD) from refused
    except codes.CodeError as refused:
        raise CardTapError(str(refused), field=FIELD) from refused


async def _find(connection: AsyncConnection, tap: CardTap) -> Row[Any] | None:
    key, token = card_key.c, card_token.c
    row = (
        await connection.execute(
            select(
                card,
                token.scene,
                token.merchant_id,
                token.revoked_at,
                key.label,
                key.suite,
            )
            .join(card_token, token.card_id == card.c.card_id)
            .join(
                card_key,
                (key.issuer_id == card.c.issuer_id) & (key.key_version == card.c.key_version),
            )
            .where(
                token.token == tap.token,
                card.c.issuer_id == tap.issuer_id,
                card.c.key_version == tap.key_version,
                key.suite == SUITE_NAME[tap.suite],
            )
        )
    ).one_or_none()
    assert row is None or CARD_SUITE[row.kind] == row.suite
    return row


def _state(row: Any) -> CardState:  # noqa: ANN401  (a row of a card or of its event)
    return CardState(
        status=CardStatus(row.status), user_id=row.user_id, liability_from=row.liability_from
    )


async def _state_at(connection: AsyncConnection, card_id: UUID, at: datetime) -> CardState | None:
    event = card_event.c
    row = (
        await connection.execute(
            select(event.status, event.user_id, event.liability_from)
            .where(event.card_id == card_id, event.recorded_at <= at)
            .order_by(event.event_no.desc())
            .limit(1)
        )
    ).one_or_none()
    return None if row is None else _state(row)


def _holder(state: CardState | None, row: Row[Any], on: date) -> UUID:
    if state is None:
        raise CardInactiveError("the card was not issued yet", field=FIELD, status="unissued")
    if state.status is CardStatus.LOST:
        assert state.liability_from is not None
        raise CardLostError(field=FIELD, liability_from=state.liability_from.isoformat())
    if state.status is not CardStatus.ACTIVE or state.user_id is None:
        status = "unbound" if state.user_id is None else state.status.value
        raise CardInactiveError(f"the card is {status}", field=FIELD, status=status)
    if not row.valid_from <= on <= row.valid_to:
        raise CardInactiveError("outside its validity", field=FIELD, status="out_of_validity")
    return state.user_id
