"""Any row the database and the requests allow, for the laws of the mapping functions."""

from dataclasses import fields
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, get_type_hints

from hypothesis import strategies as st

from scenes.hospital import listed_rows as rows
from scenes.hospital.payment_states import PaymentState, RefundState
from scenes.hospital.registration_rules import RegistrationState

MERCHANTS: Final = st.from_regex(r"[0-9A-Za-z_.:\-]{1,64}", fullmatch=True)
CODES: Final = MERCHANTS
WORDS: Final = st.text(
    st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=100
).filter(str.strip)
FEN: Final = st.integers(0, 10_000_000_00)
INSTANTS: Final = st.integers(0, 2_000_000_000_000_000).map(
    lambda past_us: datetime(2020, 1, 1, tzinfo=UTC) + timedelta(microseconds=past_us)
)
SUBJECTS: Final = st.from_regex(r"[a-z2-7]{24}", fullmatch=True)
QUANTITIES: Final = st.from_regex(r"[0-9]{1,6}(\.[0-9]{1,4})?", fullmatch=True)
MASKED: Final = st.sampled_from(("*", "张**", "3704**********1234", "+86138****8000"))

BY_NAME: Final[dict[str, st.SearchStrategy[Any]]] = {
    "subject": SUBJECTS,
    "survivor": st.none() | SUBJECTS,
    "name_zh": WORDS,
    "name_en": WORDS,
    "dept_name_zh": WORDS,
    "place": st.none() | WORDS,
    "name": WORDS,
    "doctor_name": st.none() | WORDS,
    "title_zh": WORDS,
    "title_en": WORDS,
    "id_no": st.none() | MASKED,
    "phone": st.none() | MASKED,
    "quantity": QUANTITIES,
    "line_no": st.integers(1, 200),
    "slot_no": st.integers(1, 500),
    "queue_no": st.none() | st.integers(1, 10_000),
    "priority": st.sampled_from((0, 1)),
    "session": st.sampled_from(("morning", "afternoon", "evening")),
    "slot_type": st.sampled_from(("general", "expert", "special", "emergency")),
    "bill_state": st.sampled_from(("open", "paid", "withdrawn")),
    "registration_state": st.none() | st.sampled_from([one.value for one in RegistrationState]),
    "amount_fen": FEN.filter(bool),
    "fixmedins_code": st.none() | CODES,
}
OF_TYPE: Final[dict[object, st.SearchStrategy[Any]]] = {
    int: FEN,
    str: CODES,
    bool: st.booleans(),
    datetime: INSTANTS,
    date: st.dates(date(2020, 1, 1), date(2099, 1, 1)),
}
SCHEDULE: Final = {"status": st.sampled_from(("open", "stopped"))}
SLOT: Final = {"state": st.sampled_from(("free", "taken", "closed"))}
REGISTRATION: Final = {"state": st.sampled_from([one.value for one in RegistrationState])}
VISIT: Final = {
    "kind": st.sampled_from(("outpatient", "inpatient")),
    "dept_name_zh": st.none() | WORDS,
}
BILL: Final = {"state": st.sampled_from(("open", "paid", "withdrawn"))}
PAYMENT: Final = {
    "kind": st.just("payment"),
    "state": st.sampled_from([one.value for one in PaymentState]),
    "whole": st.just(value=False),
}
RETURN: Final = {
    "kind": st.just("return"),
    "state": st.sampled_from([one.value for one in RefundState]),
}


def any_row(kind: type[Any], /, **of: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Any row of a list; ``of`` says what is otherwise about some fields."""
    hints = get_type_hints(kind)
    chosen = {}
    for field in fields(kind):
        name = field.name
        known = {**BY_NAME, **of}
        chosen[name] = known[name] if name in known else _of_type(hints[name])
    return st.builds(kind, **chosen)


def _of_type(hint: Any) -> st.SearchStrategy[Any]:  # noqa: ANN401  (a type)
    if hint == tuple[rows.BillLineSums, ...]:
        return st.lists(any_row(rows.BillLineSums), min_size=1, max_size=4).map(tuple)
    if hint == tuple[rows.MoneyLine, ...]:
        return st.lists(any_row(rows.MoneyLine), min_size=1, max_size=4).map(tuple)
    inner = [one for one in getattr(hint, "__args__", ()) if one is not type(None)]
    if inner:
        return st.none() | _of_type(inner[0])
    return OF_TYPE[hint] if hint in OF_TYPE else st.from_type(hint)
