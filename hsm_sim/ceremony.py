"""The key ceremony: a key that is whole nowhere but inside the box.

Three custodians hold one component each; the key is the exclusive-or of all three. Any two of
them know nothing about it. Each component carries a check value, so that a slip while typing is
found at once and by its custodian; the finished key has one too, so that all three can see that
they made the key they meant.

Pure: randomness and time are arguments.

Source: the practice of ANSI X9.24-1 (split knowledge, dual control).
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from hsm_sim.interface import Algorithm, HSMError
from hsm_sim.keys import SECRET_SIZE, RandomBytes, secret_check_value

CUSTODIAN_COUNT: Final = 3
CEREMONY_LIFETIME: Final = timedelta(minutes=15)
_GROUP_SIZE: Final = 4  # hex digits between two blanks
_AT_ONCE: Final = datetime(2000, 1, 1, tzinfo=UTC)  # a ceremony without waiting has no clock


class CeremonyRefusedError(HSMError):
    """A component was refused; the ceremony is as it was before."""

    code = "ceremony_refused"


class ComponentInvalidError(CeremonyRefusedError):
    """The component's own check value does not match: a slip while typing."""

    code = "component_invalid"


class DualControlError(CeremonyRefusedError):
    """One hand tried to give two components."""

    code = "dual_control"


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One custodian's part of a key.

    ``custodian`` is 1 to 3. ``check_value`` is the key check value of the component taken as a
    key of the same algorithm.
    """

    custodian: int
    value: bytes = field(repr=False)
    check_value: bytes

    def text(self) -> str:
        """The form a custodian writes down: hex digits in groups of four, then the check value."""
        digits = self.value.hex().upper()
        groups = [digits[at : at + _GROUP_SIZE] for at in range(0, len(digits), _GROUP_SIZE)]
        return " ".join(groups) + " / " + self.check_value.hex().upper()


def new_components(
    random: RandomBytes, algorithm: Algorithm = Algorithm.AES256
) -> tuple[Component, ...]:
    """Three random components. Each goes to its custodian alone; nobody keeps the tuple."""
    values = [random(SECRET_SIZE[algorithm]) for _ in range(CUSTODIAN_COUNT)]
    return tuple(
        Component(custodian=number, value=value, check_value=secret_check_value(algorithm, value))
        for number, value in enumerate(values, start=1)
    )


def parse_component(
    custodian: int, text: str, algorithm: Algorithm = Algorithm.AES256
) -> Component:
    """Read what ``Component.text`` wrote; blanks, line ends and letter case do not matter.

    Raises:
        ComponentInvalidError: not of the form, or the check value does not match.
    """
    digits, _, check_digits = "".join(text.split()).partition("/")
    try:
        value, check_value = bytes.fromhex(digits), bytes.fromhex(check_digits)
    except ValueError as problem:
        raise ComponentInvalidError("a component is hex digits, a slash, 6 hex digits") from problem
    component = Component(custodian=custodian, value=value, check_value=check_value)
    check_component(component, algorithm)
    return component


def check_component(component: Component, algorithm: Algorithm) -> None:
    """Raise ``ComponentInvalidError`` unless size, number and check value are right."""
    if not 1 <= component.custodian <= CUSTODIAN_COUNT:
        raise ComponentInvalidError(f"custodians count from 1 to {CUSTODIAN_COUNT}")
    if len(component.value) != SECRET_SIZE[algorithm]:
        raise ComponentInvalidError(f"a component has {SECRET_SIZE[algorithm]} bytes")
    if secret_check_value(algorithm, component.value) != component.check_value:
        raise ComponentInvalidError("the check value does not match: look for a typing slip")


class Ceremony:
    """One ceremony under way: takes components one by one from different hands.

    Args:
        algorithm: of the key that is being made.
        began_at: aware UTC; after ``CEREMONY_LIFETIME`` everything given so far is forgotten.
    """

    def __init__(self, algorithm: Algorithm, began_at: datetime) -> None:
        self.algorithm = algorithm
        self.ends_at = began_at + CEREMONY_LIFETIME
        self._sum = bytearray(SECRET_SIZE[algorithm])
        self._given: dict[int, tuple[str, str]] = {}

    @property
    def missing(self) -> tuple[int, ...]:
        """Numbers of the custodians who have not given their component yet."""
        return tuple(
            number for number in range(1, CUSTODIAN_COUNT + 1) if number not in self._given
        )

    def give(self, component: Component, *, name: str, session: str, now: datetime) -> None:
        """Take one component.

        Args:
            component: the component, with its check value.
            name: of the custodian, as it goes into the audit log.
            session: what the hand is known by; one session gives one component.
            now: aware UTC.

        Raises:
            ComponentInvalidError: wrong check value, size or number.
            DualControlError: this custodian, name or session gave one already.
            CeremonyRefusedError: the ceremony's time is over.
        """
        if now >= self.ends_at:
            self.forget()
            raise CeremonyRefusedError("the ceremony took too long: begin again")
        check_component(component, self.algorithm)
        if not name.strip():
            raise DualControlError("a custodian has a name")
        names = {given_name for given_name, _ in self._given.values()}
        sessions = {given_session for _, given_session in self._given.values()}
        if component.custodian in self._given:
            raise DualControlError(f"component {component.custodian} was given already")
        if name in names or session in sessions:
            raise DualControlError("one person gives one component, each in a session of their own")
        self._given[component.custodian] = (name, session)
        for index, byte in enumerate(component.value):
            self._sum[index] ^= byte

    def finish(self) -> bytes:
        """The key, once; the ceremony forgets it. All components must have been given."""
        if self.missing:
            raise CeremonyRefusedError(f"components {self.missing} are missing")
        key = bytes(self._sum)
        self.forget()
        return key

    def forget(self) -> None:
        """Overwrite what was given."""
        for index in range(len(self._sum)):
            self._sum[index] = 0
        self._given.clear()


def combine(components: tuple[Component, ...], algorithm: Algorithm = Algorithm.AES256) -> bytes:
    """The key of three components at hand at once: the unlock files of a development machine.

    Raises:
        CeremonyRefusedError: one is missing, given twice or does not check.
    """
    ceremony = Ceremony(algorithm, _AT_ONCE)
    for component in components:
        hand = f"file {component.custodian}"
        ceremony.give(component, name=hand, session=hand, now=_AT_ONCE)
    return ceremony.finish()
