"""The doors and grants a gate carries: the part ``access`` of its package. Pure.

A gate off-line knows a code's alias and nothing of the person, so grants stand by alias; the server
writes those of all codes that are valid now. JSON, keys sorted:

| name | meaning |
|---|---|
| ``format`` | 1; 2 where there are ``uses``, since a gate that cannot count must not guess |
| ``doors`` | door → the groups it belongs to |
| ``grants`` | list of grants: fields of ``access.Grant`` |
| ``holders`` | alias, 16 hex digits → places in ``grants`` |
| ``uses`` | visitors' alias → ``[most uses, uses the server knows of]``; format 2 alone |
"""

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from typing import Any, ClassVar, Final
from uuid import UUID

from cardcore.calendar import LOCAL_ZONE
from scenes.community.access import AccessBook, Decision, Grant, PassUses, Relation

ACCESS_PART: Final = "access"
FORMAT: Final = 1
FORMAT_WITH_USES: Final = 2


class AccessPartError(ValueError):
    """The part is not an access book of a format known here."""

    code: ClassVar[str] = "access_invalid"


class GateBook:
    """Decides passages on a gate."""

    def __init__(
        self,
        doors: Mapping[str, frozenset[str]],
        grants: Mapping[str, Sequence[Grant]],
        uses: Mapping[str, PassUses] | None = None,
    ) -> None:
        # The rule knows people by id; here an alias stands for one.
        self._ids = {alias: UUID(int=place + 1) for place, alias in enumerate(grants)}
        self._uses = uses or {}
        self._book = AccessBook(
            groups_of_door=doors,
            grants_of_user={self._ids[alias]: rights for alias, rights in grants.items()},
            uses_of_user={
                self._ids[alias]: one for alias, one in self._uses.items() if alias in self._ids
            },
        )

    def uses_max(self, alias: bytes) -> int | None:
        """How often a visitor's pass may be used; None = no pass, or one without a number."""
        uses = self._uses.get(alias.hex())
        return None if uses is None else uses.uses_max

    def decide(self, alias: bytes, door: str, at: datetime) -> Decision:
        """Whether the holder of a code's alias may pass a door at an aware instant."""
        local = at.astimezone(LOCAL_ZONE)
        holder = self._ids.get(alias.hex(), UUID(int=0))
        return self._book.decide(holder, door, local.date(), local.time())


def write_access_part(book: AccessBook, aliases: Mapping[UUID, Sequence[bytes]]) -> bytes:
    """The part's bytes; ``aliases`` of people without grants are left out."""
    grants: dict[str, int] = {}
    holders: dict[str, list[int]] = {}
    uses: dict[str, list[int]] = {}
    for user_id, rights in book.grants_of_user.items():
        for alias in aliases.get(user_id, ()):
            holders[alias.hex()] = [
                grants.setdefault(_written(grant), len(grants)) for grant in rights
            ]
            limit = book.uses_of_user.get(user_id)
            if limit is not None:
                uses[alias.hex()] = [limit.uses_max, limit.used]
    # Places by content and not by who came first: the same book is the same bytes.
    order = sorted(grants)
    place = {grants[text]: number for number, text in enumerate(order)}
    document: dict[str, object] = {
        "format": FORMAT_WITH_USES if uses else FORMAT,
        "doors": {door: sorted(groups) for door, groups in book.groups_of_door.items()},
        "grants": [json.loads(text) for text in order],
        "holders": {
            alias: sorted(place[number] for number in numbers) for alias, numbers in holders.items()
        },
    }
    if uses:
        document["uses"] = uses
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def read_access_part(data: bytes) -> GateBook:
    """The book in a part.

    Raises:
        AccessPartError: not JSON, another format, or not a book.
    """
    try:
        document: dict[str, Any] = json.loads(data)
        _check_format(document["format"])
        grants = [_grant(entry) for entry in document["grants"]]
        return GateBook(
            {door: frozenset(groups) for door, groups in document["doors"].items()},
            {
                alias: tuple(grants[number] for number in numbers)
                for alias, numbers in document["holders"].items()
            },
            {
                alias: PassUses(uses_max=int(uses_max), used=int(used))
                for alias, (uses_max, used) in document.get("uses", {}).items()
            },
        )
    except AccessPartError:
        raise
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        IndexError,
        AssertionError,
        RecursionError,
    ) as error:
        raise AccessPartError(f"not an access book: {type(error).__name__}") from None


def _check_format(value: object) -> None:
    if value not in {FORMAT, FORMAT_WITH_USES}:
        raise AccessPartError(f"format {value!r} is not known here")


def _written(grant: Grant) -> str:
    return json.dumps(
        {
            "door_group": grant.door_group,
            "relation": grant.relation.value,
            "valid_from": grant.valid_from.isoformat(),
            "valid_to": grant.valid_to.isoformat(),
            "weekdays": sorted(grant.weekdays),
            "starts": None if grant.starts is None else grant.starts.isoformat(),
            "ends": None if grant.ends is None else grant.ends.isoformat(),
        },
        ensure_ascii=False,
        sort_keys=True,
    )


def _grant(entry: Mapping[str, Any]) -> Grant:
    return Grant(
        door_group=str(entry["door_group"]),
        relation=Relation(entry["relation"]),
        valid_from=date.fromisoformat(entry["valid_from"]),
        valid_to=date.fromisoformat(entry["valid_to"]),
        weekdays=frozenset(int(day) for day in entry["weekdays"]),
        starts=None if entry["starts"] is None else time.fromisoformat(entry["starts"]),
        ends=None if entry["ends"] is None else time.fromisoformat(entry["ends"]),
    )
