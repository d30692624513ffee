"""The interface over a box in this very process: for tests, and for tools that open a box."""

from hsm_sim.interface import Algorithm, KeyInfo, KeyUsage
from hsm_sim.session import Session
from hsm_sim.simulator import Simulator


class InProcessHSM:
    """The calls of ``interface.CardHSM`` on a ``Session``; nothing here ever waits."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @classmethod
    def in_memory(cls) -> "InProcessHSM":
        """A fresh, open box without a home; gone with the process."""
        return cls(Session(Simulator.in_memory(), "in process"))

    async def generate(self, label: str, algorithm: Algorithm, usage: KeyUsage) -> KeyInfo:
        """See ``interface.HSM``."""
        return self._session.generate(label, algorithm, usage)

    async def describe(self, label: str) -> KeyInfo:
        """See ``interface.HSM``."""
        return self._session.describe(label)

    async def list_keys(self) -> list[KeyInfo]:
        """See ``interface.HSM``."""
        return self._session.list_keys()

    async def sign(self, label: str, message: bytes) -> bytes:
        """See ``interface.HSM``."""
        return self._session.sign(label, message)

    async def verify(self, label: str, message: bytes, signature: bytes) -> None:
        """See ``interface.HSM``."""
        self._session.verify(label, message, signature)

    async def mac(self, label: str, message: bytes) -> bytes:
        """See ``interface.HSM``."""
        return self._session.mac(label, message)

    async def wrap(self, label: str, plaintext: bytes, *, context: bytes) -> bytes:
        """See ``interface.HSM``."""
        return self._session.wrap(label, plaintext, context=context)

    async def unwrap(self, label: str, wrapped: bytes, *, context: bytes) -> bytes:
        """See ``interface.HSM``."""
        return self._session.unwrap(label, wrapped, context=context)

    async def derive(
        self, label: str, context: bytes, *, child: str, algorithm: Algorithm, usage: KeyUsage
    ) -> KeyInfo:
        """See ``interface.HSM``."""
        return self._session.derive(label, context, child=child, algorithm=algorithm, usage=usage)

    async def random(self, size: int) -> bytes:
        """See ``interface.HSM``."""
        return self._session.random(size)

    async def tac(self, label: str, message: bytes, *, card_no: bytes) -> bytes:
        """See ``interface.CardHSM``."""
        return self._session.tac(label, message, card_no=card_no)

    async def verify_tac(self, label: str, message: bytes, tac: bytes, *, card_no: bytes) -> None:
        """See ``interface.CardHSM``."""
        self._session.verify_tac(label, message, tac, card_no=card_no)

    async def translate_pin(self, source: str, target: str, block: bytes, *, pan: str) -> bytes:
        """See ``interface.CardHSM``."""
        return self._session.translate_pin(source, target, block, pan=pan)

    async def pin_reference(self, source: str, reference: str, block: bytes, *, pan: str) -> bytes:
        """See ``interface.CardHSM``."""
        return self._session.pin_reference(source, reference, block, pan=pan)

    async def import_key(self, label: str, block: bytes, *, transport: str) -> KeyInfo:
        """See ``interface.CardHSM``."""
        return self._session.import_key(label, block, transport=transport)
