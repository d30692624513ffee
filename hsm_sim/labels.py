"""Key labels and key epochs: ``issuer.p256@3`` is the third life of the key ``issuer.p256``.

A key is never replaced under its label; rotation makes the next epoch beside the old one, and
both work until the old one's window is over. A label without an epoch is a key that is not
rotated.
"""

import re
from collections.abc import Iterable
from typing import Final

from hsm_sim.interface import KeyInfo, RequestInvalidError

LABEL_SIZE_MAX: Final = 64
EPOCH_MAX: Final = 65_535
_LABEL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:#-]*(@[1-9][0-9]{0,4})?")


def check_label(label: str) -> None:
    """Raise ``RequestInvalidError`` unless this is a well-formed label of 1 to 64 characters."""
    if len(label) > LABEL_SIZE_MAX or _LABEL.fullmatch(label) is None:
        raise RequestInvalidError(
            "a label is 1 to 64 characters of A-Z a-z 0-9 . _ / : # - and may end in @epoch"
        )


def epoch_label(name: str, epoch: int) -> str:
    """The label of one epoch (1 to 65535) of a key."""
    if not 1 <= epoch <= EPOCH_MAX or "@" in name:
        raise RequestInvalidError("epochs count from 1 to 65535, and a name has none yet")
    label = f"{name}@{epoch}"
    check_label(label)
    return label


def split_label(label: str) -> tuple[str, int | None]:
    """Name and epoch; the epoch is None for a key that is not rotated."""
    check_label(label)
    name, at, epoch = label.partition("@")
    return name, int(epoch) if at else None


def epochs_of(name: str, keys: Iterable[KeyInfo]) -> list[int]:
    """All epochs of a key that exist, oldest first."""
    pairs = (split_label(key.label) for key in keys)
    return sorted(epoch for found, epoch in pairs if found == name and epoch is not None)


def next_epoch_label(name: str, keys: Iterable[KeyInfo]) -> str:
    """The label to generate when the key is rotated (or made for the first time)."""
    return epoch_label(name, max(epochs_of(name, keys), default=0) + 1)
