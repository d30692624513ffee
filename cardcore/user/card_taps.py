"""Accepting a card's tap: from evidence to the same presented value a scanned code becomes.

Every forgery has one answer: a token nobody gave, a key nobody has, a wrong TAC are told apart only
in here. Whether the tap was used before is judged by the database, in the transaction that spends
it, as for codes; the key of that judgement names the card, since two tokens may be one card.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

import codes
from cardcore.connections import RawConnection
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
from cardcore.user.card_tables import card_key
from cardcore.user.card_vault import CardVault, key_number
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
class CardFacts:
    """What the register knows of the card and the token of a tap, and the label of its key."""

    card_id: UUID
    number_sealed: bytes
    state: CardState
    alias: bytes | None
    valid_from: date
    valid_to: date
    tap_counter: int
    scene: str | None
    merchant_id: str | None
    revoked_at: datetime | None
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundTap:
    """A tap whose form is right, and the card its token leads to, if any.

    ``state`` is the card's at the instant the tap is judged for, None before it was issued.
    ``is_late``: the tap comes in a record.
    """

    tap: CardTap
    card: CardFacts | None
    state: CardState | None
    is_late: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PresentedCard:
    """An accepted tap. ``user_id`` is the holder at the instant it was judged for."""

    code: PresentedCode
    card_id: UUID
    user_id: UUID
    ends_at: datetime


async def find_tap(connection: RawConnection, text: str) -> FoundTap:
    """The card behind a tap shown right now. Raises ``CardTapError``: not the text of a tap."""
    try:
        tap = decode_tap(text)
    except CodeMalformedError:
        raise CardTapError(field=FIELD) from None
    card = await _find(connection, tap)
    return FoundTap(tap=tap, card=card, state=None if card is None else card.state, is_late=False)


async def find_late_tap(connection: RawConnection, evidence: bytes, at: datetime) -> FoundTap:
    """As ``find_late_taps``, for one tap whose form is not checked yet.

    Raises:
        CardTapError: not the bytes of a tap.
    """
    try:
        tap = read_tap(evidence)
    except CodeMalformedError:
        raise CardTapError(field=FIELD) from None
    (found,) = await find_late_taps(connection, [(tap, at)])
    return found


async def find_late_taps(
    connection: RawConnection, taps: Sequence[tuple[CardTap, datetime]]
) -> list[FoundTap]:
    """The cards behind the taps in a terminal's records, in order, as they stood at their instants.

    A tap before the loss report is the holder's of that day; one after it will be refused, and who
    bears it is for the caller to say. Records come in any order, so the counter is not judged:
    whoever has several records of a card does that.
    """
    rows = await connection.execute(
        _FIND_LATE,
        (
            [tap.token for tap, _ in taps],
            [tap.issuer_id for tap, _ in taps],
            [tap.key_version for tap, _ in taps],
            [SUITE_NAME[tap.suite] for tap, _ in taps],
            [at for _, at in taps],
        ),
    )
    cards: dict[int, tuple[CardFacts, CardState | None]] = {}
    for place, was_status, was_user_id, was_liable_from, *card in await rows.fetchall():
        state = None if was_status is None else _state(was_status, was_user_id, was_liable_from)
        cards[place - 1] = (_card(card), state)
    return [
        FoundTap(tap=tap, card=card, state=state, is_late=True)
        for place, (tap, _) in enumerate(taps)
        for card, state in (cards.get(place, (None, None)),)
    ]


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
        tap, card = found.tap, found.card
        _check_form(tap, place, pays=pays, at=at, policy=self._policy)
        if card is None:
            raise CardTapError(field=FIELD)
        await self._check_tac(tap, card)
        if card.revoked_at is not None and card.revoked_at <= at:
            status = (
                "unbound" if card.state.status is CardStatus.ACTIVE else card.state.status.value
            )
            raise CardInactiveError("its token is not good any more", field=FIELD, status=status)
        domain = ((card.scene, place.scene), (card.merchant_id, place.merchant_id))
        if any(wanted not in (None, there) for wanted, there in domain):
            raise CardDomainError(field=FIELD)
        user_id = _holder(found.state, card, on)
        # The counter of the last spent tap itself is left to the judge of replays.
        if not found.is_late and tap.counter < card.tap_counter:
            raise CardCounterError(field=FIELD, counter=tap.counter, last=card.tap_counter)
        made_at = datetime.fromtimestamp(tap.made_at_s, UTC)
        alias = tap.token if found.is_late else card.alias
        assert alias is not None, "a good card has an alias"
        return PresentedCard(
            code=PresentedCode(
                code_class=TAP_CLASS,
                # The card's own token leads to nobody in the order's facts, its alias does.
                token=alias,
                replay_key=replay_key(card.card_id, tap.counter),
                digest=tap.digest,
                cap_fen=tap.amount_fen,
                expires_at=made_at + REMEMBERED,
            ),
            card_id=card.card_id,
            user_id=user_id,
            ends_at=made_at + timedelta(seconds=self._policy.age_s_max),
        )

    async def _check_tac(self, tap: CardTap, card: CardFacts) -> None:
        try:
            number = await self._vault.open(card.card_id, card.number_sealed)
            await self._hsm.verify_tac(
                card.label, tap.tac_message, tap.tac, card_no=key_number(number)
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


_CARD_FIELDS: Final = """
       c.card_id, c.number_sealed, c.status, c.user_id, c.liability_from, c.alias, c.valid_from,
       c.valid_to, c.tap_counter, t.scene, t.merchant_id, t.revoked_at, k.label
"""
_FIND: Final = f"""
SELECT {_CARD_FIELDS}
  FROM cardcore.card_token t
  JOIN cardcore.card c USING (card_id)
  JOIN cardcore.card_key k USING (issuer_id, key_version)
 WHERE t.token = %s AND c.issuer_id = %s AND c.key_version = %s AND k.suite = %s
"""  # noqa: S608  (our constant)
_FIND_LATE: Final = f"""
SELECT asked.place, was.status, was.user_id, was.liability_from, {_CARD_FIELDS}
  FROM unnest(%s::bytea[], %s::int[], %s::int[], %s::text[], %s::timestamptz[]) WITH ORDINALITY
       AS asked (token, issuer_id, key_version, suite, at, place)
  JOIN cardcore.card_token t USING (token)
  JOIN cardcore.card c USING (card_id)
  JOIN cardcore.card_key k ON k.issuer_id = c.issuer_id AND k.key_version = c.key_version
  LEFT JOIN LATERAL (
       SELECT e.status, e.user_id, e.liability_from
         FROM cardcore.card_event e
        WHERE e.card_id = c.card_id AND e.recorded_at <= asked.at
        ORDER BY e.event_no DESC
        LIMIT 1) was ON true
 WHERE c.issuer_id = asked.issuer_id AND c.key_version = asked.key_version
   AND k.suite = asked.suite
"""  # noqa: S608  (likewise)


async def _find(connection: RawConnection, tap: CardTap) -> CardFacts | None:
    found = await connection.execute(
        _FIND, (tap.token, tap.issuer_id, tap.key_version, SUITE_NAME[tap.suite])
    )
    row = await found.fetchone()
    return None if row is None else _card(row)


def _card(row: Sequence[Any]) -> CardFacts:
    card_id, number_sealed, status, user_id, liability_from, *rest = row
    alias, valid_from, valid_to, tap_counter, scene, merchant_id, revoked_at, label = rest
    return CardFacts(
        card_id=card_id,
        number_sealed=number_sealed,
        state=_state(status, user_id, liability_from),
        alias=alias,
        valid_from=valid_from,
        valid_to=valid_to,
        tap_counter=tap_counter,
        scene=scene,
        merchant_id=merchant_id,
        revoked_at=revoked_at,
        label=label,
    )


def _state(status: str, user_id: UUID | None, liability_from: datetime | None) -> CardState:
    return CardState(status=CardStatus(status), user_id=user_id, liability_from=liability_from)


def _holder(state: CardState | None, card: CardFacts, on: date) -> UUID:
    if state is None:
        raise CardInactiveError("the card was not issued yet", field=FIELD, status="unissued")
    if state.status is CardStatus.LOST:
        assert state.liability_from is not None
        liability_from = state.liability_from.astimezone(UTC).isoformat()
        raise CardLostError(field=FIELD, liability_from=liability_from)
    if state.status is not CardStatus.ACTIVE or state.user_id is None:
        status = "unbound" if state.user_id is None else state.status.value
        raise CardInactiveError(f"the card is {status}", field=FIELD, status=status)
    if not card.valid_from <= on <= card.valid_to:
        raise CardInactiveError("outside its validity", field=FIELD, status="out_of_validity")
    return state.user_id
