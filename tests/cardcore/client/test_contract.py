"""One contract, two transports: the same calls get the same answers and the same refusals."""

import inspect
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from adapters import demo_city
from adapters.demo_city import client_key
from adapters.http.examples import SCENE
from adapters.settings import Settings
from adapters.wiring import City, make_api
from cardcore.account.request import TopUpRequest
from cardcore.business.dispute_errors import DisputeExceedsError, DisputeStateError
from cardcore.business.dispute_request import (
    Answer,
    AnswerDisputeRequest,
    DecideDisputeRequest,
    DisputeReason,
    Finding,
    Grounds,
    OpenDisputeRequest,
)
from cardcore.business.request import (
    CaptureRequest,
    Mode,
    QuoteRequest,
    RefundRequest,
    User,
    VerifyRequest,
)
from cardcore.business.scene_errors import SceneExistsError, SceneRetiredError
from cardcore.business.scenes import (
    ChangeSceneRequest,
    RegisterSceneRequest,
    RetireSceneRequest,
)
from cardcore.client.contract import VERBS, InProcess
from cardcore.client.service import CardcoreClient
from cardcore.errors import (
    CodeRefusedError,
    ForbiddenError,
    IdempotencyKeyReusedError,
    NotFoundError,
    OrderStateError,
    RefundExceedsError,
)
from cardcore.known import Known
from cardcore.service import CardCore
from cardcore.user.request import IssueCodeRequest, OpenUserRequest
from tests.city_life import CENTRE, FLAT_FARE_FEN, Life, id_no
from tests.conftest import CityClock

URL = "https://card.example"
Service = Any


@pytest.fixture(params=["in-process", "over HTTP"])
async def service(
    request: pytest.FixtureRequest, city: City, city_clock: CityClock, city_settings: Settings
) -> AsyncIterator[Service]:
    """The card centre's own system, on each side."""
    if request.param == "in-process":
        yield InProcess(city.core, CENTRE)
        return
    app = await make_api(city, public_url=URL, clock=city_clock)
    key = client_key(city_settings.clients_home, CENTRE.client_id)
    async with CardcoreClient(
        URL, CENTRE.client_id, key, clock=city_clock, transport=httpx2.ASGITransport(app=app)
    ) as client:
        yield client


async def person(service: Service, number: int = 1) -> Any:  # noqa: ANN401  (a user's id)
    request = OpenUserRequest(name="测试", id_no=id_no("19900101", number), funds=["transit"])
    user, _ = await service.open_user(request, f"open-{number}")
    top_up = TopUpRequest(fund="transit", amount_fen=5_000, channel="t", channel_no=f"C{number}")
    await service.top_up(user.user_id, top_up, f"topup-{number}")
    return user.user_id


async def code(service: Service, user_id: object) -> str:
    issued = await service.issue_code(user_id, IssueCodeRequest(scenes=["bus"]))
    return str(issued.text)


async def test_a_ride_is_verified_quoted_paid_found_explained_and_given_back(
    service: Service, life: Life
) -> None:
    user_id = await person(service)
    text = await code(service, user_id)
    ride = life.ride(text)
    who = await service.verify(
        VerifyRequest(
            user=User(credential=text),
            scene="bus",
            merchant_id=demo_city.BUS_MERCHANT,
            terminal_id=demo_city.BUS_TERMINAL,
        )
    )
    assert who.level == "real_name"
    quote = await service.quote(QuoteRequest(user=ride.user, business=ride.business))
    assert quote.nominal_fen == FLAT_FARE_FEN
    order, replayed = await service.order(ride, "k")
    assert (order.captured_fen, replayed) == (FLAT_FARE_FEN, False)
    assert await service.order(ride, "k") == (order, Known.BY_KEY)
    assert await service.order(ride, "other") == (order, Known.BY_NUMBER)
    merchant, number = ride.business.merchant_id, ride.business.out_trade_no
    assert await service.find_order(merchant, number) == await service.read_order(order.order_id)
    explained = await service.explain(order.order_id)
    assert explained.explained_fen == FLAT_FARE_FEN
    give_back = RefundRequest(out_refund_no="R1", amount_fen=40, reason="x")
    refund, _ = await service.refund(order.order_id, give_back, "r")
    assert refund.amount_fen == 40
    assert await service.refund(order.order_id, give_back, "r2") == (refund, Known.BY_NUMBER)
    user = await service.read_user(user_id)
    assert user.funds[0].balance_fen == 5_000 - FLAT_FARE_FEN + 40
    books = await service.books()
    assert (books.trial_balance_fen, books.custody_difference_fen) == (0, 0)


async def test_a_hold_is_captured_or_voided(service: Service, life: Life) -> None:
    user_id = await person(service)
    held = []
    for number in range(2):
        ride = life.ride(await code(service, user_id)).model_copy(update={"mode": Mode.HOLD})
        held.append((await service.order(ride, f"h{number}"))[0].order_id)
    captured, _ = await service.capture(held[0], CaptureRequest(amount_fen=60), "c")
    assert captured.captured_fen == 60
    voided, _ = await service.void(held[1], "v")
    assert voided.status == "voided"
    with pytest.raises(OrderStateError):
        await service.void(held[1], "v2")


async def test_refusals_are_the_same_exceptions(service: Service, life: Life) -> None:
    user_id = await person(service)
    text = await code(service, user_id)
    order, _ = await service.order(life.ride(text), "k")
    with pytest.raises(CodeRefusedError) as refused:
        await service.order(life.ride(text), "other")
    assert refused.value.reason == "code_replayed"
    with pytest.raises(CodeRefusedError) as invalid:
        await service.order(life.ride("M1:nonsense"), "third")
    assert invalid.value.reason == "code_invalid"
    with pytest.raises(IdempotencyKeyReusedError):
        await service.order(life.ride(await code(service, user_id)), "k")
    too_much = RefundRequest(out_refund_no="R", amount_fen=FLAT_FARE_FEN + 1, reason="x")
    with pytest.raises(RefundExceedsError) as exceeds:
        await service.refund(order.order_id, too_much, "r")
    assert exceeds.value.field == "amount_fen"
    with pytest.raises(NotFoundError):
        await service.read_order(uuid4())
    with pytest.raises(NotFoundError):
        await service.find_order(demo_city.BUS_MERCHANT, "none")


async def test_a_dispute_is_opened_credited_contested_and_decided(
    service: Service, life: Life
) -> None:
    order, _ = await service.order(life.ride(await code(service, await person(service))), "k")
    ask = OpenDisputeRequest(reason=DisputeReason.WRONG_AMOUNT, amount_fen=60)
    opened, replayed = await service.open_dispute(order.order_id, ask, "d")
    assert (opened.status, opened.amount_fen, replayed) == ("open", 60, False)
    assert await service.open_dispute(order.order_id, ask, "d") == (opened, True)
    evidence = await service.dispute_evidence(opened.dispute_id)
    assert evidence.sha256 == opened.evidence_sha256
    credited, _ = await service.credit_dispute(opened.dispute_id, "c")
    assert credited.credited_fen == 60
    reply = AnswerDisputeRequest(answer=Answer.CONTEST, grounds=Grounds.SERVICE_DELIVERED)
    contested, _ = await service.answer_dispute(opened.dispute_id, reply, "a")
    assert contested.status == "contested"
    finding = DecideDisputeRequest(finding=Finding.CITIZEN, grounds=Grounds.AMOUNT_RIGHT)
    decided, _ = await service.decide_dispute(opened.dispute_id, finding, "f")
    assert (decided.status, decided.recovered_fen) == ("for_citizen", 60)
    assert await service.read_dispute(opened.dispute_id) == decided
    with pytest.raises(DisputeStateError):
        await service.withdraw_dispute(opened.dispute_id, "w")
    with pytest.raises(DisputeExceedsError):
        await service.open_dispute(order.order_id, ask, "d2")
    life.clock.advance(minutes=1)
    second, _ = await service.open_dispute(
        order.order_id, OpenDisputeRequest(reason=DisputeReason.NOT_DELIVERED), "d3"
    )
    withdrawn, _ = await service.withdraw_dispute(second.dispute_id, "w2")
    assert (withdrawn.status, withdrawn.amount_fen) == ("withdrawn", 40)
    explained = await service.explain(order.order_id)
    assert [one.status for one in explained.disputes] == ["for_citizen", "withdrawn"]


async def test_a_scene_is_registered_changed_and_retired(service: Service) -> None:
    terms = {name: value for name, value in SCENE.items() if name != "scene"}
    first = await service.register_scene(RegisterSceneRequest.model_validate(SCENE))
    assert (first.version, first.retired) == (1, False)
    with pytest.raises(SceneExistsError):
        await service.register_scene(RegisterSceneRequest.model_validate(SCENE))
    change = ChangeSceneRequest.model_validate(terms | {"name_en": "Market", "reason": "r"})
    second, replayed = await service.change_scene("night_market", change, "v2")
    assert (second.version, second.name_en, replayed) == (2, "Market", False)
    retired, _ = await service.retire_scene("night_market", RetireSceneRequest(reason="r"), "x")
    assert (retired.version, retired.retired) == (3, True)
    with pytest.raises(SceneRetiredError):
        await service.retire_scene("night_market", RetireSceneRequest(reason="r"), "y")
    assert await service.read_scene("night_market") == retired
    assert (await service.scenes()).scenes == [retired]
    assert (await service.scene_versions("night_market")).scenes == [first, second, retired]
    with pytest.raises(NotFoundError):
        await service.read_scene("moon")


async def test_limits_and_arrears_are_read(service: Service) -> None:
    limits = {one.limit_id for one in (await service.limits()).limits}
    assert "retail_day" in limits
    assert [one.version for one in (await service.limit_versions("retail_day")).limits] == [1]
    owed = await service.arrears_of(await person(service))
    assert (owed.open_fen, owed.debts) == (0, [])


async def test_a_function_beyond_the_scopes_is_refused(
    city: City, city_clock: CityClock, city_settings: Settings
) -> None:
    app = await make_api(city, public_url=URL, clock=city_clock)
    key = client_key(city_settings.clients_home, "aishandong")
    async with CardcoreClient(
        URL, "aishandong", key, clock=city_clock, transport=httpx2.ASGITransport(app=app)
    ) as client:
        with pytest.raises(ForbiddenError):
            await client.books()


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_takes_the_same_arguments_on_both_sides(verb: str) -> None:
    inside = list(inspect.signature(getattr(CardCore, verb)).parameters.values())
    outside = list(inspect.signature(getattr(CardcoreClient, verb)).parameters.values())
    assert inside[1].name == "caller"
    assert [(one.name, one.annotation) for one in inside[2:] if one.name != "idempotency_key"] == [
        (one.name, one.annotation) for one in outside[1:] if one.name != "idempotency_key"
    ]


def test_what_is_no_verb_is_not_there(city: City) -> None:
    with pytest.raises(AttributeError):
        _ = InProcess(city.core, CENTRE).platform
