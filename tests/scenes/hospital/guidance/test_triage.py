"""Red flags and departments: laws that hold for every text, and a table of what people say."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenes.hospital.guidance.evaluation import is_red
from scenes.hospital.guidance.knowledge import RANK, Urgency, current
from scenes.hospital.guidance.text import TEXT_MAX, normalised
from scenes.hospital.guidance.triage import Advice, Patient, advise

KNOWLEDGE = current()
ADULT = Patient(age=40, sex="f")
WORDS = sorted(
    {*KNOWLEDGE.literals, *(word for words in KNOWLEDGE.cues.values() for word in words)}
)
PIECES = st.one_of(st.sampled_from(WORDS), st.sampled_from("，。、 的了很我"))
TEXTS = st.lists(PIECES, max_size=12).map("".join)
PATIENTS = st.builds(
    Patient,
    age=st.none() | st.floats(0, 100),
    sex=st.sampled_from(["f", "m", None]),
    pregnant=st.booleans(),
)
RED_PHRASES = [
    "胸口疼，直冒冷汗",
    "突然嘴歪了，说话不清楚",
    "叫不醒",
    "吐血",
    "不想活了",
    "喝了农药",
    "喘不上气",
    "抽搐",
    "被毒蛇咬了",
    "从房顶上摔下来",
]


def said(text: str, patient: Patient = ADULT) -> Advice:
    """Advice on a text."""
    return advise(KNOWLEDGE, text, patient)


def first(text: str, patient: Patient = ADULT) -> str:
    """The first specialty."""
    return said(text, patient).ranked[0].specialty.specialty


@settings(max_examples=80)
@given(TEXTS, TEXTS, PATIENTS)
def test_whatever_else_is_said_urgency_does_not_fall(
    one: str, other: str, patient: Patient
) -> None:
    assert len(one) + len(other) < TEXT_MAX
    both = RANK[said(f"{one}。{other}", patient).urgency]
    assert both >= RANK[said(one, patient).urgency]
    assert both >= RANK[said(other, patient).urgency]


@settings(max_examples=50)
@given(TEXTS, st.sampled_from(RED_PHRASES), st.booleans())
def test_a_red_flag_is_seen_in_any_company(text: str, phrase: str, before: bool) -> None:
    assert is_red(said(f"{phrase}。{text}" if before else f"{text}。{phrase}"))


def undenied(word: str) -> bool:
    """Not so a word that says no itself, or one that is an alarm when it is missing."""
    return not set(word) & set("没不无未别") and word not in {"呼吸", "吃奶", "胎动", "这么头疼过"}


@settings(max_examples=80)
@given(
    st.sampled_from(["没有", "没", "无", "没有出现", "没有明显的", "否认"]),
    st.lists(st.sampled_from([w for w in WORDS if undenied(w)]), min_size=1, max_size=3),
    PATIENTS,
)
def test_what_is_denied_raises_nothing(no: str, words: list[str], patient: Patient) -> None:
    denied = "，".join(f"{no}{word}" for word in words if word in KNOWLEDGE.literals)
    assert not is_red(said(denied, patient)), denied


@given(TEXTS, PATIENTS)
@settings(max_examples=50)
def test_reasons_are_the_citizens_own_words(text: str, patient: Patient) -> None:
    advice = said(text, patient)
    told = [*(one.words for one in advice.ranked), *(one.words for one in advice.raised)]
    assert all(word in normalised(text) for words in told for word in words)
    assert advice == said(text, patient)


@pytest.mark.parametrize(
    "text",
    [
        "没有胸痛、呼吸困难，也没有出汗",
        "胸痛已经没有了",
        "没咳嗽也没发烧，没有喘不上气",
        "孩子没有抽搐",
        "并没有吐血",
        "以前中风过，来拿降压药",
    ],
)
def test_denied_or_long_over_is_calm(text: str) -> None:
    assert not is_red(said(text))


@pytest.mark.parametrize(
    "text",
    [
        "不是没有胸痛，还出汗",
        "不光胸痛，还喘不上气",
        "胸痛没有缓解",
        "没有咳嗽，胸痛出冷汗",
        "从来没这么头疼过，突然就疼起来",
        "以前没事，现在突然喘不上气",
        "胸口疼 冒冷汗",
        "胸口疼，冒冷汗，不过已经吃了药",
        "胸口痛，出冷汗，喘不過氣",  # traditional characters
    ],
)
def test_a_no_that_is_none(text: str) -> None:
    assert is_red(said(text))


@pytest.mark.parametrize(
    ("text", "patient", "specialty"),
    [
        ("咳嗽有痰", Patient(age=40), "respiratory"),
        ("咳嗽有痰", Patient(age=5), "pediatrics"),
        ("孩子咳嗽有痰", Patient(), "pediatrics"),
        ("便秘", Patient(age=27, sex="f", pregnant=True), "obstetrics"),
        ("怀孕了，便秘", Patient(age=27, sex="f"), "obstetrics"),
        ("眼睛红", Patient(age=5), "ophthalmology"),
        ("月经不调", Patient(age=27, sex="f"), "gynecology"),
        ("尿频尿急", Patient(age=50, sex="m"), "urology"),
        ("不是肚子疼，是腰疼", Patient(age=40), "orthopedics"),
        ("耳朵嗡嗡響，聽不清", Patient(age=60), "ent"),
        ("拉杜子三天了", Patient(age=30), "enteric_clinic"),
    ],
)
def test_who_it_is_and_how_it_is_written(text: str, patient: Patient, specialty: str) -> None:
    assert first(text, patient) == specialty


def test_men_are_not_sent_to_womens_departments() -> None:
    ranked = said("下面疼，肚子疼", Patient(age=30, sex="m")).ranked
    assert not {"gynecology", "obstetrics"} & {one.specialty.specialty for one in ranked}


@pytest.mark.parametrize("text", ["", "体检", "不舒服", "停车场在哪", "asdfgh", "帮我挂个号"])
def test_where_nothing_is_said_nothing_is_recommended(text: str) -> None:
    advice = said(text)
    assert (advice.urgency, advice.ranked) == (Urgency.UNCLEAR, ())


@pytest.mark.parametrize(
    ("text", "age", "red"),
    [
        ("体温38.2", 0.16, True),
        ("体温38.2", 30, False),
        ("发烧41度", 30, True),
        ("血压200/120，头疼", 50, True),
        ("血压150/95", 50, False),
        ("孕38周产检", 28, False),
    ],
)
def test_figures_are_read(text: str, age: float, *, red: bool) -> None:
    assert is_red(said(text, Patient(age=age, sex="f"))) is red


def test_an_emergency_comes_first_and_says_what_to_do() -> None:
    advice = said("突然嘴歪了，说话不清楚", Patient(age=70, sex="m"))
    assert advice.urgency is Urgency.CALL_120
    assert advice.ranked[0].specialty.specialty == "emergency"
    assert "120" in advice.raised[0].flag.advice.zh
    assert advice.version == KNOWLEDGE.version


@pytest.mark.parametrize(
    ("text", "group"),
    [
        ("发烧咳嗽", "fever_respiratory"),
        ("咳嗽", "respiratory"),
        ("上吐下泻", "vomiting_diarrhoea"),
        ("没有发烧，腰疼", None),
        ("发烧", "fever"),
    ],
)
def test_complaints_are_counted_in_groups(text: str, group: str | None) -> None:
    found = said(text).group
    assert (None if found is None else found.group) == group
