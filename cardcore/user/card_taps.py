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
class PresentedCard:
    """An accepted tap. ``user_id`` is the holder at the instant it was judged for."""

    code: PresentedCode
    card_id: UUID
    user_id: UUID
    ends_at: datetime


class CardTaps:
    """Judges taps, on a connection the caller holds open.

    Args:
        hsm: checks TACs with the card's own key; no key ever leaves it.
        policy: how far the terminal's clock may be off.
    """

    def __init__(self, hsm: CardHSM, policy: TapPolicy | None = None) -> None:
        self._hsm = hsm
        self._vault = CardVault(hsm)
        self._policy = policy or TapPolicy()

    async def present(
        self,
        connection: AsyncConnection,
        text: str,
        place: TapPlace,
        *,
        pays: bool,
        now: datetime,
        on: date,
    ) -> PresentedCard:
        """Judge a tap shown right now, by everything but its past use.

        Raises:
            CardTapError: kin: not of now, not of here, forged, another domain, an old counter.
            CardLostError, CardInactiveError: the card is not good.
            ServiceUnavailableError: the security module does not answer.
        """
        try:
            tap = decode_tap(text)
        except CodeMalformedError:
            raise CardTapError(field=FIELD) from None
        found = await self._check(connection, tap, place, pays=pays, at=now)
        _require_good(_state(found), found, on)
        # The counter of the last spent tap itself is left to the judge of replays.
        if tap.counter < found.tap_counter:
            raise CardCounterError(field=FIELD, counter=tap.counter, last=found.tap_counter)
        return self._presented(tap, found, found.user_id)

    async def present_late(
        self,
        connection: AsyncConnection,
        evidence: bytes,
        place: TapPlace,
        *,
        pays: bool,
        at: datetime,
        on: date,
    ) -> PresentedCard:
        """Judge the tap in a terminal's record by what held at the record's instant.

        A tap before the loss report is the holder's; one after it is refused here, and who bears it
        is for the caller to say. Records come in any order, so the counter is not judged:
        ``codes.double_spend.cloned_keys`` does that over records.

        Args:
            connection: the transaction.
            evidence: the tap's bytes.
            place: of the record.
            pays: is money asked for?
            at: the record's instant.
            on: its business date.

        Raises: as ``present`` does.
        """
        try:
            tap = read_tap(evidence)
        except CodeMalformedError:
            raise CardTapError(field=FIELD) from None
        found = await self._check(connection, tap, place, pays=pays, at=at)
        state = await _state_at(connection, found.card_id, at)
        _require_good(state, found, on)
        assert state.user_id is not None
        return self._presented(tap, found, state.user_id)

    async def _check(
        self,
        connection: AsyncConnection,
        tap: CardTap,
        place: TapPlace,
        *,
        pays: bool,
        at: datetime,
    ) -> Row[Any]:
        """Form, window, key, token, TAC, domain; returns token, card and key in one row."""
        _check_form(tap, place, pays=pays, at=at, policy=self._policy)
        found = await _find(connection, tap)
        if found is None:
            raise CardTapError(field=FIELD)
        try:
            number = await self._vault.open(found.card_id, found.number_sealed)
            await self._hsm.verify_tac(
                found.label, tap.tac_message, tap.tac, card_no=key_number(number)
            )
        except SignatureInvalidError:
            raise CardTapError(field=FIELD) from None
        except HSMError as error:
            if error.retryable:
                raise ServiceUnavailableError("the security module does not answer") from error
            raise
        if found.revoked_at is not None and found.revoked_at <= at:
            status = "unbound" if found.status == CardStatus.ACTIVE.value else found.status
            raise CardInactiveError("its token is not good any more", field=FIELD, status=status)
        domain = ((found.scene, place.scene), (found.merchant_id, place.merchant_id))
        if any(wanted not in (None, there) for wanted, there in domain):
            raise CardDomainError(field=FIELD)
        return found

    def _presented(self, tap: CardTap, found: Row[Any], user_id: UUID) -> PresentedCard:
        made_at = datetime.fromtimestamp(tap.made_at_s, UTC)
        return PresentedCard(
            code=PresentedCode(
                code_class=TAP_CLASS,
                # A card that is no longer good has no alias; then nobody is found by its token.
                token=tap.token if found.alias is None else found.alias,
                replay_key=replay_key(found.card_id, tap.counter),
                digest=tap.digest,
                cap_fen=tap.amount_fen,
                expires_at=made_at + REMEMBERED,
            ),
            card_id=found.card_id,
            user_id=user_id,
            ends_at=made_at + timedelta(seconds=self._policy.age_s_max),
        )


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


async def _state_at(connection: AsyncConnection, card_id: UUID, at: datetime) -> CardState:
    event = card_event.c
    row = (
        await connection.execute(
            select(event.status, event.user_id, event.liability_from)
            .where(event.card_id == card_id, event.recorded_at <= at)
            .order_by(event.event_no.desc())
            .limit(1)
        )
    ).one_or_none()
    if row is None:
        raise CardInactiveError("the card was not issued yet", field=FIELD, status="unissued")
    return _state(row)


def _require_good(state: CardState, row: Row[Any], on: date) -> None:
    if state.status is CardStatus.LOST:
        assert state.liability_from is not None
        raise CardLostError(field=FIELD, liability_from=state.liability_from.isoformat())
    if not state.is_good:
        status = "unbound" if state.user_id is None else state.status.value
        raise CardInactiveError(f"the card is {status}", field=FIELD, status=status)
    if not row.valid_from <= on <= row.valid_to:
        raise CardInactiveError("outside its validity", field=FIELD, status="out_of_validity")
