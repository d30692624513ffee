"""Key blocks: a key with its label, algorithm and usage, sealed so that none can be changed.

Layout, integers big-endian: ``CCKB`` 4, version 1, usage 2, then algorithm name, label and public
key (each 1 byte of length and its bytes), then the secret wrapped with everything before it as
context (``keys.BlockKey.wrap``). The same form is used inside the key file and for import under
a transport key; the transport side can be made by anybody with this module and that key.

The idea is that of ANSI X9.143 (TR-31): usage is bound to the key by cryptography, not by a list
beside it. The bytes are our own.
"""

from typing import Final

from hsm_sim.interface import Algorithm, HSMError, KeyUsage, WrappedDataInvalidError
from hsm_sim.keys import AnyKey, BlockKey, RandomBytes, load_key

MAGIC: Final = b"CCKB"
VERSION: Final = 1


def seal(key: AnyKey, wrapping: BlockKey, random: RandomBytes) -> bytes:
    """The block of ``key`` under ``wrapping``."""
    header = _header(key)
    return header + wrapping.wrap(key.secret, header, random)


def open_sealed(block: bytes, wrapping: BlockKey) -> AnyKey:
    """The key inside a block, ready for use.

    Raises:
        WrappedDataInvalidError: not a block, changed, or sealed by another key.
    """
    size, algorithm, usage, label, public_key = _parse(block)
    secret = wrapping.unwrap(block[size:], block[:size])
    try:
        return load_key(label, algorithm, usage, secret, public_key=public_key)
    except HSMError as problem:
        raise WrappedDataInvalidError(f"the block holds no usable key: {problem}") from problem


def _header(key: AnyKey) -> bytes:
    info = key.info
    header = MAGIC + bytes((VERSION,)) + info.usage.value.to_bytes(2, "big")
    for part in (info.algorithm.value.encode(), info.label.encode(), info.public_key):
        header += bytes((len(part),)) + part
    return header


def _parse(block: bytes) -> tuple[int, Algorithm, KeyUsage, str, bytes]:
    if block[:5] != MAGIC + bytes((VERSION,)):
        raise WrappedDataInvalidError("not a key block of this version")
    parts = []
    offset = 7
    for _ in range(3):
        end = offset + 1 + (block[offset] if offset < len(block) else 0)
        parts.append(block[offset + 1 : end])
        offset = end
    try:
        algorithm = Algorithm(parts[0].decode())
        label = parts[1].decode()
        usage = KeyUsage(int.from_bytes(block[5:7], "big"))
    except ValueError as problem:
        raise WrappedDataInvalidError("not a key block of this version") from problem
    return offset, algorithm, usage, label, parts[2]
