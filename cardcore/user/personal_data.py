"""Personal data at rest: sealed with a key per person, found by a blind index.

The person's data key is made by the HSM and kept only wrapped (envelope encryption), in a table
apart from what it seals: destroying the wrapped key erases the person for good. Looking a number
up uses a keyed hash from the HSM, so the table alone does not tell whose number it is.

Nothing here opens data without saying for what: see ``access_log``.
"""

import os
from enum import StrEnum
from typing import Final
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore.user.people_tables import person_key
from hsm_sim.interface import HSM

WRAPPING_KEY: Final = "personal-data-wrap"
INDEX_KEY: Final = "personal-data-index"
_NONCE_SIZE: Final = 12
_KEY_SIZE: Final = 32


class Field(StrEnum):
    """What is sealed. The name is bound into the sealed bytes and into the blind index."""

    NAME = "name"
    ID_NO = "id_no"
    PHONE = "phone"
    ADDRESS = "address"
    PLATE = "plate"
    EVIDENCE = "evidence"
    NOTE = "note"
    PAYEE = "payee"
    REPORT = "report"


class DataKey:
    """One person's key in clear, for the moment it is needed. Never stored, never shown."""

    __slots__ = ("_cipher",)

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def seal(self, field: Field, text: str) -> bytes:
        """``text`` sealed: nonce (12 bytes), ciphertext, tag (16 bytes)."""
        nonce = os.urandom(_NONCE_SIZE)
        # The field is bound in: a sealed name moved into another column does not open.
        return nonce + self._cipher.encrypt(nonce, text.encode(), field.value.encode())

    def open(self, field: Field, sealed: bytes) -> str:
        """What was sealed.

        Raises:
            cryptography.exceptions.InvalidTag: another person's, another field's, or changed.
        """
        nonce, rest = sealed[:_NONCE_SIZE], sealed[_NONCE_SIZE:]
        return self._cipher.decrypt(nonce, rest, field.value.encode()).decode()


class PersonalData:
    """Keys and indexes of personal data, with the HSM's help."""

    def __init__(self, hsm: HSM) -> None:
        self._hsm = hsm

    async def index(self, field: Field, value: str) -> bytes:
        """Blind index of a value in its one written form: 32 bytes, another for every field."""
        return await self._hsm.mac(INDEX_KEY, field.value.encode() + b"\0" + value.encode())

    async def make_key(self, connection: AsyncConnection, user_id: UUID) -> DataKey:
        """Make a new person's key and keep it wrapped, bound to the person."""
        key = await self._hsm.random(_KEY_SIZE)
        wrapped = await self._hsm.wrap(WRAPPING_KEY, key, context=user_id.bytes)
        await connection.execute(
            insert(person_key).values(user_id=user_id, data_key_wrapped=wrapped)
        )
        return DataKey(key)

    async def key_of(self, connection: AsyncConnection, user_id: UUID) -> DataKey | None:
        """A person's key; None once the person was erased."""
        wrapped = (
            await connection.execute(
                select(person_key.c.data_key_wrapped).where(person_key.c.user_id == user_id)
            )
        ).scalar_one_or_none()
        if wrapped is None:
            return None
        return DataKey(await self._hsm.unwrap(WRAPPING_KEY, wrapped, context=user_id.bytes))
