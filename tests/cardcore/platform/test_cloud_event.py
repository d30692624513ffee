"""One event of the stream: complete, and with nothing of a person in it."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from cardcore.platform.cloud_event import PUBLIC_FIELDS, FeedEvent, cloud_event
from cardcore.platform.event_feed import AUDIENCE
from cardcore.user.pseudonyms import pairwise

ROOT = Path(__file__).parents[3]
USER = UUID("01932b1f-0000-7000-8000-00000000000a")
ORDER = UUID("01932b1f-0000-7000-8000-00000000000b")


def event(topic: str, subject_id: UUID, payload: dict[str, object]) -> FeedEvent:
    return FeedEvent(
        event_id=UUID("01932b1f-0000-7000-8000-00000000000c"),
        seq=42,
        topic=topic,
        subject_id=subject_id,
        merchant_id="shanting-bus" if topic.startswith("order") else None,
        recorded_at=datetime(2026, 6, 1, 2, 0, tzinfo=UTC),
        payload=payload,
    )


def name_of(user_id: UUID) -> str:
    return pairwise(b"k" * 32, AUDIENCE, user_id)


def test_an_event_of_an_order_names_it_and_its_merchant() -> None:
    payload = {"order_id": str(ORDER), "scene": "bus", "status": "captured"}
    assert json.loads(cloud_event(event("order.captured", ORDER, payload), name_of)) == {
        "specversion": "1.0",
        "id": "01932b1f-0000-7000-8000-00000000000c",
        "source": "/cardcore",
        "type": "cardcore.order.captured",
        "subject": str(ORDER),
        "time": "2026-06-01T02:00:00Z",
        "datacontenttype": "application/json",
        "sequence": "00000000000000000042",
        "data": {**payload, "merchant_id": "shanting-bus"},
    }


def test_a_person_is_a_pseudonym_of_the_streams_own() -> None:
    payload = {"user_id": str(USER), "object": "plate/鲁D12345"}
    told = cloud_event(event("user.freeze", USER, payload), name_of).decode()
    assert json.loads(told)["subject"] == json.loads(told)["data"]["user"] == name_of(USER)
    assert str(USER) not in told
    assert "12345" not in told
    assert name_of(USER) != pairwise(b"k" * 32, "shanting-bus", USER)


@given(st.dictionaries(st.text(max_size=20), st.text(min_size=9, max_size=20)))
def test_a_field_nobody_has_looked_at_stays_inside(payload: dict[str, object]) -> None:
    """Why: whoever adds a field to a payload thinks of its receiver, not of this stream."""
    payload.pop("user_id", None)
    told = json.loads(cloud_event(event("order.captured", ORDER, payload), name_of))
    assert set(told["data"]) - {"merchant_id"} <= PUBLIC_FIELDS & set(payload)


def test_every_family_of_topics_stands_in_the_document() -> None:
    """How: whatever is written into the outbox begins with a family the page names."""
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "cardcore").rglob("*.py")]
    written = re.compile(r"""(?:topic=|"topic": |VALUES \()f?["']([a-z_]+)\.""")
    families = {family for source in sources for family in written.findall(source)}
    assert {"order", "user", "card", "terminal"} <= families
    page = (ROOT / "docs" / "events.md").read_text(encoding="utf-8")
    assert [one for one in sorted(families) if f"| `{one}." not in page] == []
