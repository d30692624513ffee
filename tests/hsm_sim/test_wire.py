"""The bytes between client and server: frames, fields, refusals."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hsm_sim import wire
from hsm_sim.audit import AuditBrokenError
from hsm_sim.interface import (
    HSMError,
    RequestInvalidError,
)
from hsm_sim.wire import FrameInvalidError, FrameReader

fields_lists = st.lists(st.binary(max_size=40), max_size=6)


@given(
    frames=st.lists(st.tuples(st.integers(0, 255), st.integers(0, 2**32 - 1), fields_lists)),
    cuts=st.lists(st.integers(1, 30), min_size=1),
)
def test_frames_survive_any_cutting_of_the_stream(
    frames: list[tuple[int, int, list[bytes]]], cuts: list[int]
) -> None:
    stream = b"".join(wire.frame(*one) for one in frames)
    reader, found, turn = FrameReader(), [], 0
    while stream:
        size = cuts[turn % len(cuts)]
        found += reader.feed(stream[:size])
        stream, turn = stream[size:], turn + 1
    assert [(kind, number, wire.split_fields(body)) for kind, number, body in found] == frames


@pytest.mark.parametrize("size", [0, 4, wire.FRAME_SIZE_MAX + 1, 2**32 - 1])
def test_a_size_no_frame_has_is_refused_before_it_is_waited_for(size: int) -> None:
    with pytest.raises(FrameInvalidError):
        FrameReader().feed(struct.pack(">IBI", size, 1, 1))


def test_a_frame_too_large_is_not_made() -> None:
    with pytest.raises(RequestInvalidError):
        wire.frame(1, 1, (bytes(wire.FRAME_SIZE_MAX),))


@given(body=st.binary(max_size=40))
def test_fields_are_read_whole_or_refused(body: bytes) -> None:
    try:
        fields = wire.split_fields(body)
    except FrameInvalidError:
        return
    assert b"".join(len(one).to_bytes(4, "big") + one for one in fields) == body


def test_every_refusal_comes_out_as_it_went_in() -> None:
    for kind in wire.ERRORS.values():
        back = wire.refusal_of(wire.refusal_fields(kind("why")))
        assert (type(back), str(back)) == (kind, "why")
    broken = wire.refusal_of(wire.refusal_fields(AuditBrokenError(7, "was changed")))
    assert isinstance(broken, AuditBrokenError)
    assert (broken.index, broken.reason) == (7, "was changed")
    assert type(wire.refusal_of((b"from_a_newer_box", b"why"))) is HSMError


def _kinds(parent: type[HSMError]) -> set[type[HSMError]]:
    return {parent}.union(*(_kinds(kind) for kind in parent.__subclasses__()))


def test_no_refusal_of_the_box_is_forgotten_on_the_wire() -> None:
    """Why: a code missing in the table would reach the caller as a nameless error."""
    of_the_box = {kind for kind in _kinds(HSMError) if kind.__module__.startswith("hsm_sim.")}
    elsewhere = {"hsm_error", "audit_broken", "frame_invalid", "hsm_home_invalid"}
    assert {kind.code for kind in of_the_box} - elsewhere == set(wire.ERRORS)
