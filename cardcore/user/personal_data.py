"""Personal data at rest: sealed with a key per person, found by a blind index, shown masked.

The person's data key is made by the HSM and kept only wrapped (envelope encryption): destroying
the wrapped key erases the person for good, in every backup too. Looking a number up uses a keyed
hash from the HSM, so the table alone does not tell whose number it is.
"""

import os
from dataclasses import dataclass
from datetime import date
from typing import Final
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from stdnum import numdb
from stdnum.cn import ric
from stdnum.exceptions import ValidationError

from cardcore.errors import RequestInvalidError
from hsm_sim.interface import HSM

WRAPPING_KEY: Final = "personal-data-wrap"
INDEX_KEY: Final = "personal-data-index"
_NONCE_SIZE: Final = 12
_ID_SIZE: Final = 18
_OLD_ID_SIZE: Final = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedPerson:
    """What the table keeps of a person."""

    data_key_wrapped: bytes
    name_sealed: bytes
    id_no_sealed: bytes
    id_no_index: bytes


def normalise_id_no(id_no: str, today: date) -> str:
    """GB 11643 number in its 18-character form with a capital check character.

    A first-generation number (15 digits, before 1999) gets its century and check character.

    Raises:
        RequestInvalidError: with the reason; the number itself is never in the message.

    Source:
        GB 11643-1999; ``python-stdnum`` (cn.ric) for the rules of place, date and check.
    """
    number = id_no.strip().upper()
    if len(number) == _OLD_ID_SIZE and number.isascii() and number.isdigit():
        body = f"{number[:6]}19{number[6:]}"
        number = body + ric.calc_check_digit(body + "0")
    fault = _fault_of(number, today)
    if fault is not None:
        raise RequestInvalidError(f"not a valid identity number: {fault}", field="id_no")
    return number


def _fault_of(number: str, today: date) -> str | None:
    """What is wrong with an 18-character number, or None.

    The library's own ``validate`` also demands that the county existed in the year of birth.
    Numbers were given out from 1984 on, with the county of that day: everybody born before their
    county was founded would be refused, so only the place itself is looked up.
    """
    if len(number) != _ID_SIZE or not number[:-1].isascii() or not number[:-1].isdigit():
        return "it has 17 digits and a check character"
    if number[-1] != ric.calc_check_digit(number):
        return "the check character does not match"
    try:
        born_on = ric.get_birth_date(number)
    except ValidationError:
        return "the birth date does not exist"
    if born_on > today:
        return "the birth date lies in the future"
    if not any("county" in facts for _, facts in numdb.get("cn/loc").info(number[:6])):
        return "the place is unknown"
    return None


class PersonalData:
    """Seals and opens personal data with keys in the HSM."""

    def __init__(self, hsm: HSM) -> None:
        self._hsm = hsm

    async def index(self, id_no: str) -> bytes:
        """Blind index of a normalised number: the same number, the same 32 bytes."""
        return await self._hsm.mac(INDEX_KEY, b"id_no\0" + id_no.encode())

    async def seal(self, user_id: UUID, *, name: str, id_no: str) -> SealedPerson:
        """Make a data key for a new person and seal what is known of them."""
        data_key = await self._hsm.random(32)
        return SealedPerson(
            data_key_wrapped=await self._hsm.wrap(WRAPPING_KEY, data_key, context=user_id.bytes),
            name_sealed=_seal(data_key, name, b"name"),
            id_no_sealed=_seal(data_key, id_no, b"id_no"),
            id_no_index=await self.index(id_no),
        )

    async def open(
        self, user_id: UUID, *, data_key_wrapped: bytes, name_sealed: bytes, id_no_sealed: bytes
    ) -> tuple[str, str]:
        """Name and number in clear. For masking, and for callers with a lawful purpose."""
        data_key = await self._hsm.unwrap(WRAPPING_KEY, data_key_wrapped, context=user_id.bytes)
        return _open(data_key, name_sealed, b"name"), _open(data_key, id_no_sealed, b"id_no")


def mask_name(name: str) -> str:
    """All but the first character hidden: 张** ."""
    return name[:1] + "*" * max(len(name) - 1, 1)


def mask_id_no(id_no: str) -> str:
    """Only the first and the last character shown."""
    return f"{id_no[0]}{'*' * (len(id_no) - 2)}{id_no[-1]}"


def _seal(data_key: bytes, text: str, column: bytes) -> bytes:
    # The column is bound in: a sealed name moved into another column does not open.
    nonce = os.urandom(_NONCE_SIZE)
    return nonce + AESGCM(data_key).encrypt(nonce, text.encode(), column)


def _open(data_key: bytes, sealed: bytes, column: bytes) -> str:
    return AESGCM(data_key).decrypt(sealed[:_NONCE_SIZE], sealed[_NONCE_SIZE:], column).decode()
