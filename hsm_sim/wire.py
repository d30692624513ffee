"""The bytes between client and server: frames, and the fields inside them.

A frame is ``size 4 ‖ kind 1 ‖ request id 4 ‖ fields``, integers big-endian; ``size`` counts what
follows it, at most ``FRAME_SIZE_MAX``. Fields are byte strings, each with 4 bytes of length.
Requests carry an operation as kind; answers ``OK`` or ``REFUSED`` (fields: code, message).
Answers come in any order; the request id pairs them.

The first request of a connection is ``HELLO`` with the protocol version and the client's name;
the answer tells the version, the session id, whether the box is unlocked, and the process id.
"""

import struct
from collections.abc import Sequence
from enum import IntEnum
from typing import Final

from hsm_sim import ceremony, key_file, simulator
from hsm_sim import interface as calls
from hsm_sim.audit import AuditBrokenError
from hsm_sim.ceremony import Component
from hsm_sim.interface import Algorithm, HSMError, KeyInfo, KeyUsage, RequestInvalidError

PROTOCOL_VERSION: Final = 1
FRAME_SIZE_MAX: Final = 64 * 1024
OK: Final = 0
REFUSED: Final = 1

_HEAD: Final = struct.Struct(">IBI")
_LENGTH: Final = struct.Struct(">I")
HEAD_SIZE: Final = _HEAD.size
_COUNTED_SIZE: Final = _HEAD.size - _LENGTH.size


class Operation(IntEnum):
    """What a request asks for. Values are never reused."""

    HELLO = 1
    STATUS = 2
    GIVE_COMPONENT = 3
    LOCK = 4
    VERIFY_AUDIT = 5
    GENERATE = 16
    DESCRIBE = 17
    LIST_KEYS = 18
    DERIVE = 19
    IMPORT_KEY = 20
    LOAD_COMPONENTS = 21
    SIGN = 32
    VERIFY = 33
    MAC = 34
    WRAP = 35
    UNWRAP = 36
    RANDOM = 37
    TAC = 48
    VERIFY_TAC = 49
    TRANSLATE_PIN = 50
    PIN_REFERENCE = 51


# Asking these again does no harm; the others are never sent twice on the client's own account.
REPEATABLE: Final = frozenset(Operation) - {
    Operation.GENERATE,
    Operation.IMPORT_KEY,
    Operation.LOAD_COMPONENTS,
    Operation.GIVE_COMPONENT,
    Operation.LOCK,
}

ERRORS: Final[dict[str, type[HSMError]]] = {
    kind.code: kind
    for kind in (
        calls.AlgorithmUnavailableError,
        calls.CallerRefusedError,
        calls.HSMLockedError,
        calls.HSMRateLimitedError,
        calls.HSMStorageError,
        calls.HSMUnavailableError,
        calls.KeyExistsError,
        calls.KeyUnknownError,
        calls.KeyUsageRefusedError,
        calls.PINBlockInvalidError,
        calls.PublicKeyInvalidError,
        calls.RequestInvalidError,
        calls.SignatureInvalidError,
        calls.WrappedDataInvalidError,
        ceremony.CeremonyRefusedError,
        ceremony.ComponentInvalidError,
        ceremony.DualControlError,
        key_file.KeyFileInvalidError,
        key_file.MasterKeyWrongError,
        simulator.KeyFileRolledBackError,
    )
}


class FrameInvalidError(HSMError):
    """The other end does not speak this protocol; the connection is closed."""

    code = "frame_invalid"


def frame(kind: int, request_id: int, fields: Sequence[bytes]) -> bytes:
    """One frame. Raises ``RequestInvalidError`` when it would be too large."""
    parts = [b""]
    for one in fields:
        parts.append(_LENGTH.pack(len(one)))
        parts.append(one)
    size = _COUNTED_SIZE + sum(map(len, parts))
    if size > FRAME_SIZE_MAX:
        raise RequestInvalidError(f"{size} bytes are more than one frame carries")
    parts[0] = _HEAD.pack(size, kind, request_id)
    return b"".join(parts)


class FrameReader:
    """Cuts a stream of bytes into frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[tuple[int, int, bytes]]:
        """The frames completed by ``data``, as (kind, request id, body).

        Raises:
            FrameInvalidError: a size no frame has.
        """
        buffer = self._buffer
        buffer += data
        frames = []
        offset = 0
        while len(buffer) - offset >= HEAD_SIZE:
            size, kind, request_id = _HEAD.unpack_from(buffer, offset)
            if not _COUNTED_SIZE <= size <= FRAME_SIZE_MAX:
                raise FrameInvalidError(f"no frame has {size} bytes")
            end = offset + _LENGTH.size + size
            if len(buffer) < end:
                break
            frames.append((kind, request_id, bytes(buffer[offset + HEAD_SIZE : end])))
            offset = end
        del buffer[:offset]
        return frames


def split_fields(body: bytes) -> list[bytes]:
    """The fields of a frame's body. Raises ``FrameInvalidError``."""
    fields = []
    offset = 0
    size = len(body)
    while offset < size:
        start = offset + 4
        if start > size:
            raise FrameInvalidError("a field is cut off")
        offset = start + _LENGTH.unpack_from(body, start - 4)[0]
        if offset > size:
            raise FrameInvalidError("a field is cut off")
        fields.append(body[start:offset])
    return fields


def refusal_fields(refusal: HSMError) -> tuple[bytes, bytes]:
    """Fields of a ``REFUSED`` answer."""
    if isinstance(refusal, AuditBrokenError):
        return refusal.code.encode(), f"{refusal.index}/{refusal.reason}".encode()
    return refusal.code.encode(), str(refusal).encode()


def refusal_of(fields: Sequence[bytes]) -> HSMError:
    """The error a ``REFUSED`` answer stands for."""
    code, message = (one.decode() for one in fields)
    if code == AuditBrokenError.code:
        index, _, reason = message.partition("/")
        return AuditBrokenError(int(index), reason)
    return ERRORS.get(code, HSMError)(message)


def info_fields(info: KeyInfo) -> tuple[bytes, ...]:
    """The five fields of a ``KeyInfo``."""
    return (
        info.label.encode(),
        info.algorithm.value.encode(),
        usage_field(info.usage),
        info.public_key,
        info.check_value,
    )


def info_of(fields: Sequence[bytes]) -> KeyInfo:
    """The ``KeyInfo`` of five fields."""
    label, algorithm, usage, public_key, check_value = fields
    return KeyInfo(
        label=label.decode(),
        algorithm=Algorithm(algorithm.decode()),
        usage=usage_of(usage),
        public_key=public_key,
        check_value=check_value,
    )


def usage_field(usage: KeyUsage) -> bytes:
    """Two bytes."""
    return usage.value.to_bytes(2, "big")


def usage_of(data: bytes) -> KeyUsage:
    """Undo ``usage_field``."""
    return KeyUsage(int.from_bytes(data, "big"))


def component_fields(name: str, component: Component) -> tuple[bytes, ...]:
    """Four fields: custodian's name, number, component, check value."""
    return (
        name.encode(),
        bytes((component.custodian,)),
        component.value,
        component.check_value,
    )


def component_of(fields: Sequence[bytes]) -> tuple[str, Component]:
    """Undo ``component_fields``."""
    name, custodian, value, check_value = fields
    return name.decode(), Component(
        custodian=int.from_bytes(custodian, "big"), value=value, check_value=check_value
    )
