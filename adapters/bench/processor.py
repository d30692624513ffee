"""Processor time of a database server: its processes, and those of them that have ended."""

import os
from pathlib import Path
from typing import Final

_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")


def processor_s_of(postmaster: int) -> float:
    """What a server has used so far, in seconds.

    Args:
        postmaster: its process id.
    """
    ticks = 0
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        if status.parent.name == str(postmaster):
            ticks += sum(map(int, fields[11:15]))  # with its children that have ended
        elif fields[1] == str(postmaster):
            ticks += sum(map(int, fields[11:13]))
    return ticks / _TICKS_PER_S
