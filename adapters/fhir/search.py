"""A search: the query read by the declaration of its resource type, a page of rows, a Bundle.

Unknown parameters are refused, as in the rest of this service, unless ``Prefer: handling=lenient``
asks to leave them out; the ``self`` link says what was searched by. Pages follow each other by
``next`` links. Source: FHIR R4B, ``search.html``, ``bundle.html#searchset``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode
from uuid import UUID

from sqlalchemy import or_

from adapters.fhir.errors import SearchInvalidError
from adapters.fhir.ids import SMALLINT_MAX
from adapters.fhir.json_text import Tree, present
from adapters.fhir.kind import Kind
from adapters.fhir.parameters import Condition, Parameter, values_of
from cardcore.caller import Caller
from cardcore.errors import RequestInvalidError
from cardcore.platform.cursors import after, read_cursor
from scenes.hospital.listing_service import ListingService

COUNT: Final = "_count"
CURSOR: Final = "_cursor"
FORMAT: Final = "_format"
COUNT_DEFAULT: Final = 50
COUNT_MAX: Final = 200
PAIRS_MAX: Final = 32
VALUES_MAX: Final = 50
_NUL: Final = "\x00"  # no text of the database has one


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What is asked, checked: parameters with their modifiers and texts, and which page."""

    kind: Kind
    asked: tuple[tuple[Parameter, str, str], ...]
    used: tuple[tuple[str, str], ...]
    count: int
    cursor: str | None


def read_pairs(encoded: bytes) -> list[tuple[str, str]]:
    """The parameters of a query or a form, each as often as it was given.

    Raises:
        SearchInvalidError: malformed, or too many.
    """
    if not encoded:
        return []
    try:
        pairs = parse_qsl(
            encoded.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=PAIRS_MAX,
        )
    except ValueError:  # its own messages quote what was sent
        raise SearchInvalidError(f"malformed, or above {PAIRS_MAX}", field="") from None
    if any(_NUL in value for _, value in pairs):
        raise SearchInvalidError("a NUL character", field="")
    return pairs


def read_search(kind: Kind, pairs: Sequence[tuple[str, str]], *, lenient: bool) -> Search:
    """The parameters by the declaration of ``kind``; ``lenient``: unknown ones are left out.

    Raises:
        SearchInvalidError: an unknown parameter, a count that is none, a cursor given twice.
    """
    known = {parameter.name: parameter for parameter in kind.parameters}
    asked: list[tuple[Parameter, str, str]] = []
    used: list[tuple[str, str]] = []
    paging: dict[str, str] = {}
    for name, text in pairs:
        if name == FORMAT:  # what is accepted was read before
            continue
        if name in (COUNT, CURSOR):
            if name in paging:
                raise SearchInvalidError("given twice", field=name)
            paging[name] = text
            continue
        plain, _, modifier = name.partition(":")
        parameter = known.get(plain)
        if parameter is not None:
            asked.append((parameter, modifier, text))
            used.append((name, text))
        elif not lenient:
            raise SearchInvalidError(f"{kind.name} is not searched by this", field=plain[:64])
    return Search(
        kind=kind,
        asked=tuple(asked),
        used=tuple(used),
        count=_count(paging.get(COUNT)),
        cursor=paging.get(CURSOR),
    )


def _count(text: str | None) -> int:
    if text is None:
        return COUNT_DEFAULT
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and int(text) > 0):
        raise SearchInvalidError("not a number above zero", field=COUNT)
    return min(int(text), COUNT_MAX)


async def run_search(
    search: Search, caller: Caller, lists: ListingService, *, base_url: str
) -> Tree:
    """A page of what is asked, as a Bundle with links.

    Args:
        search: what is asked.
        caller: sees their own hospital's rows.
        lists: where the rows are.
        base_url: address of the FHIR face, as links and ``fullUrl`` have it.

    Raises:
        SearchInvalidError: a value is not of its parameter's type.
    """
    kind = search.kind
    conditions = [await _condition(one, caller, lists) for one in search.asked]
    rows = await lists.list_rows(
        caller, kind.listing, conditions, after=_after(search), limit=search.count + 1
    )
    page = rows[: search.count]
    address = f"{base_url}/{kind.name}"
    count = (COUNT, str(search.count))
    here = [*search.used, count]
    if search.cursor is not None:
        here.append((CURSOR, search.cursor))
    links = [{"relation": "self", "url": f"{address}?{urlencode(here)}"}]
    if len(rows) > search.count:
        key = [_key_text(getattr(page[-1], name)) for name in kind.listing.key]
        following = urlencode([*search.used, count, (CURSOR, after(key))])
        links.append({"relation": "next", "url": f"{address}?{following}"})
    resources = [kind.resource(row) for row in page]
    return present(
        resourceType="Bundle",
        type="searchset",
        link=links,
        entry=[
            {
                "fullUrl": f"{address}/{resource['id']}",
                "resource": resource,
                "search": {"mode": "match"},
            }
            for resource in resources
        ],
    )


async def _condition(
    asked: tuple[Parameter, str, str], caller: Caller, lists: ListingService
) -> Condition:
    parameter, modifier, text = asked

    async def find(subject: str) -> list[UUID]:
        return await lists.ids_of_patient(caller, subject)

    values = values_of(text)
    if len(values) > VALUES_MAX:
        raise SearchInvalidError(f"more than {VALUES_MAX} values", field=parameter.name)
    try:
        return or_(*[await parameter.meets(value, modifier, find) for value in values])
    except ValueError as error:
        raise SearchInvalidError(str(error), field=parameter.name) from None


def _after(search: Search) -> tuple[object, ...]:
    """The key of the row the page before ended with; empty on the first page."""
    if search.cursor is None:
        return ()
    columns = [search.kind.listing.column(name) for name in search.kind.listing.key]
    types = [column.type.python_type for column in columns]
    try:
        key = read_cursor(search.cursor, [0 if one is int else "" for one in types])
        return tuple(_key_part(one, part) for one, part in zip(types, key, strict=True))
    except (RequestInvalidError, ValueError):
        raise SearchInvalidError("not a cursor of this search", field=CURSOR) from None


def _key_part(kind: type, part: int | str) -> object:
    """A part of a key as its column has it. Raises ``ValueError``: somebody else has made it."""
    if kind is UUID:
        return UUID(str(part))
    if isinstance(part, int):
        if not 0 <= part <= SMALLINT_MAX:
            raise ValueError(part)
        return part
    if _NUL in part:
        raise ValueError(part)
    return part


def _key_text(part: Any) -> int | str:  # noqa: ANN401  (a column's value)
    return part if isinstance(part, int) else str(part)
