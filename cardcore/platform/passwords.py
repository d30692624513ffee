"""Passwords of operators, kept as Argon2id.

The parameters are the second recommended option of RFC 9106 with one lane; what is stored names
its own, so that raising them later breaks no one.
"""

import asyncio
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from cardcore.ids import RandomBytes
from cardcore.platform.errors import PasswordWeakError

SIZE_MIN: Final = 12
SIZE_MAX: Final = 128
_SALT_SIZE: Final = 16
_HASH_SIZE: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one guess costs: passes over the memory, and the memory in KiB."""

    passes: int = 3
    memory_kib: int = 64 * 1024


class Passwords:
    """Makes and checks what is stored. Two at a time: each takes its memory and a core."""

    def __init__(self, random_bytes: RandomBytes, cost: Cost | None = None) -> None:
        self._random_bytes = random_bytes
        self._cost = cost or Cost()
        self._turns = asyncio.Semaphore(2)
        # What an unknown name is checked against, so that it takes as long as a known one.
        self._nobodys: str | None = None

    async def store(self, password: str, *, operator_id: str) -> str:
        """What is kept of a new password (PHC string form).

        Raises:
            PasswordWeakError: shorter than 12 or longer than 128 characters, or the name itself.
        """
        if not SIZE_MIN <= len(password) <= SIZE_MAX:
            raise PasswordWeakError(f"{SIZE_MIN} to {SIZE_MAX} characters", field="password")
        if operator_id in password.lower() or len(set(password)) < SIZE_MIN // 2:
            raise PasswordWeakError("it must not be that easy to guess", field="password")
        return await self._hash(password)

    async def matches(self, password: str, stored: str | None) -> bool:
        """Is it the stored one? None is nobody's: never, in the same time."""
        if self._nobodys is None:
            self._nobodys = await self._hash(self._random_bytes(_SALT_SIZE).hex())
        async with self._turns:
            right = await asyncio.to_thread(_check, password, stored or self._nobodys)
        return right and stored is not None

    async def _hash(self, password: str) -> str:
        argon = Argon2id(
            salt=self._random_bytes(_SALT_SIZE),
            length=_HASH_SIZE,
            iterations=self._cost.passes,
            lanes=1,
            memory_cost=self._cost.memory_kib,
        )
        async with self._turns:
            return await asyncio.to_thread(argon.derive_phc_encoded, password.encode())


def _check(password: str, stored: str) -> bool:
    try:
        Argon2id.verify_phc_encoded(password.encode(), stored)
    except InvalidKey:
        return False
    return True
