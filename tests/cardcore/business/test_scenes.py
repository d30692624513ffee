"""A scene registered as data: no Python of its own, and every server knows it."""

from typing import Any

import pytest

from adapters.infrastructure import Addresses
from adapters.settings import Settings
from adapters.wiring import City, open_city
from cardcore.books import transaction
from cardcore.business.merchants import register_merchant, register_terminal
from cardcore.business.request import Business, CaptureRequest, Mode, OrderRequest, User
from cardcore.business.scene_errors import (
    LevelTooLowError,
    ModeNotAllowedError,
    SceneExistsError,
    SceneRetiredError,
)
from cardcore.business.scenes import (
    ChangeSceneRequest,
    RegisterSceneRequest,
    RetireSceneRequest,
)
from cardcore.business.views import OrderView
from cardcore.caller import Caller
from cardcore.errors import ForbiddenError, FundUnknownError, NotFoundError, RequestInvalidError
from scenes.catalogue import CLASSES, SCENE_BY_CODE, SCENES
from tests.city_life import ALL_SCOPES, BUS_OFFICE, CENTRE, Life

STALL = Caller(client_id="stall", merchant_id="market-01", scopes=ALL_SCOPES)
NIGHT_MARKET: dict[str, Any] = {
    "scene": "night_market",
    "class_code": "enterprise",
    "name_zh": "夜市",
    "name_en": "Night market",
    "level_min": "phone",
    "offline_rule": "online_only",
    "settlement_cycle": "t1",
    "modes": ["pay", "hold", "record"],
    "funding_plan": ["purse"],
    "hold_timeout_s": 7200,
}


async def register(life: Life, **changes: object) -> None:
    request = RegisterSceneRequest.model_validate(NIGHT_MARKET | changes)
    await life.city.core.register_scene(CENTRE, request)
    async with transaction(life.city.engine) as (connection, raw):
        await register_merchant(
            connection,
            raw,
            life.city.book,
            merchant_id="market-01",
            name_zh="夜市一号摊",
            name_en="Stall one",
            now=life.clock.now,
        )
        await register_terminal(
            connection,
            terminal_id="stall-T1",
            merchant_id="market-01",
            scene="night_market",
            place={},
            now=life.clock.now,
        )


async def order(
    life: Life, code: str, mode: Mode, amount_fen: int | None = None, *, city: City | None = None
) -> OrderView:
    number = next(life.numbers)
    request = OrderRequest(
        user=User(credential=code),
        business=Business(
            scene="night_market",
            type="purchase",
            merchant_id="market-01",
            terminal_id="stall-T1",
            out_trade_no=f"S{number}",
            amount_fen=amount_fen,
            currency=None if amount_fen is None else "CNY",
            occurred_at=life.clock.now,
        ),
        mode=mode,
    )
    view, _ = await (city or life.city).core.order(STALL, request, f"s-{number}")
    return view


async def test_a_registered_scene_pays_holds_and_records(life: Life) -> None:
    await register(life)
    user_id = await life.person(balance_fen=10_000, funds=("purse",))
    paid = await order(life, await life.code(user_id, scenes=["night_market"]), Mode.PAY, 1_500)
    assert (paid.status, paid.lines[0].fund, paid.lines[0].rule_id) == (
        "captured",
        "purse",
        "merchant_amount",
    )
    held = await order(life, await life.code(user_id, scenes=["retail"]), Mode.HOLD, 3_000)
    assert held.hold_expires_at is not None
    assert (held.hold_expires_at - held.recorded_at).total_seconds() == 7200
    taken, _ = await life.city.core.capture(
        STALL, held.order_id, CaptureRequest(amount_fen=1_000), "c"
    )
    assert taken.status == "captured"
    for named_fen in (None, 0):
        code = await life.code(user_id, scenes=["retail"])
        passed = await order(life, code, Mode.RECORD, named_fen)
        assert (passed.status, passed.nominal_fen) == ("recorded", 0)
        assert passed.lines[0].reason_en == "recorded, free of charge"
    assert await life.balance_fen(user_id, "purse") == 10_000 - 1_500 - 1_000
    assert await life.books_are_right()


async def test_a_running_server_knows_what_another_has_registered(
    life: Life, city_addresses: Addresses, city_settings: Settings
) -> None:
    async with open_city(city_addresses, city_settings, clock=life.clock) as other:
        await register(life)
        user_id = await life.person(balance_fen=10_000, funds=("purse",))
        code = await life.code(user_id, scenes=["retail"])
        assert (await order(life, code, Mode.PAY, 100, city=other)).status == "captured"


async def test_it_is_held_to_its_modes_and_its_level(life: Life) -> None:
    await register(life, modes=["record"], level_min="real_name")
    user_id = await life.person(balance_fen=10_000, funds=("purse",))
    with pytest.raises(ModeNotAllowedError) as refused:
        await order(life, await life.code(user_id, scenes=["retail"]), Mode.PAY, 100)
    assert refused.value.facts == {"modes": ["record"]}
    async with life.city.pool.connection() as connection:
        await connection.execute(
            "UPDATE cardcore.person SET level = 'phone' WHERE user_id = %s", (user_id,)
        )
    with pytest.raises(LevelTooLowError):
        await order(life, await life.code(user_id, scenes=["retail"]), Mode.RECORD)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"scene": "bus"}, SceneExistsError),
        ({"class_code": "moon"}, RequestInvalidError),
        ({"modes": ["pay", "pay"]}, RequestInvalidError),
        ({"funding_plan": ["gold"]}, FundUnknownError),
    ],
)
async def test_what_does_not_fit_is_refused_and_leaves_no_scene(
    life: Life, changes: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        await register(life, **changes)
    assert (await life.city.core.scenes(CENTRE)).scenes == []


async def test_a_code_names_one_scene_and_a_merchant_registers_none(life: Life) -> None:
    await register(life)
    with pytest.raises(SceneExistsError):
        await register(life)
    with pytest.raises(ForbiddenError):
        await life.city.core.register_scene(
            BUS_OFFICE, RegisterSceneRequest.model_validate(NIGHT_MARKET)
        )
    view = await life.city.core.read_scene(CENTRE, "night_market")
    assert (view.code_scene, view.name_zh) == ("retail", "夜市")


async def test_the_classes_are_those_of_the_catalogue_and_each_is_named_in_codes(
    life: Life,
) -> None:
    async with life.city.pool.connection() as connection:
        found = await connection.execute("SELECT class_code, code_scene FROM cardcore.scene_class")
        rows = dict(await found.fetchall())
    assert set(rows) == {one.code for one in CLASSES}
    for class_code, code_scene in rows.items():
        bits = {one.scope_bit for one in SCENES if one.class_code == class_code}
        assert SCENE_BY_CODE[code_scene].scope_bit in bits


def changed(**changes: object) -> ChangeSceneRequest:
    terms = {name: value for name, value in NIGHT_MARKET.items() if name != "scene"}
    return ChangeSceneRequest.model_validate(terms | {"reason": "a test"} | changes)


async def test_a_changed_scene_holds_new_orders_to_its_new_version_and_old_ones_keep_theirs(
    life: Life, city_addresses: Addresses, city_settings: Settings
) -> None:
    """How: a second server books before and after the first has changed the scene."""
    await register(life)
    core = life.city.core
    user_id = await life.person(balance_fen=10_000, funds=("purse", "bearer"))
    async with open_city(city_addresses, city_settings, clock=life.clock) as other:
        first = await order(
            life, await life.code(user_id, scenes=["retail"]), Mode.PAY, 100, city=other
        )
        request = changed(modes=["pay"], hold_timeout_s=None, funding_plan=None, name_zh="夜市二期")
        view, replayed = await core.change_scene(CENTRE, "night_market", request, "change")
        assert (view.version, view.name_zh, view.reason, replayed) == (
            2,
            "夜市二期",
            "a test",
            False,
        )
        assert await core.change_scene(CENTRE, "night_market", request, "change") == (view, True)
        code = await life.code(user_id, scenes=["retail"])
        with pytest.raises(ModeNotAllowedError):
            await order(life, code, Mode.HOLD, 100, city=other)
        second = await order(life, code, Mode.PAY, 100, city=other)
    explained = [await core.explain(STALL, one.order_id) for one in (first, second)]
    assert [one.scene_version for one in explained] == [1, 2]
    assert [one.fund for one in second.lines] == ["purse"]
    versions = (await core.scene_versions(CENTRE, "night_market")).scenes
    assert [(one.version, one.name_zh) for one in versions] == [(1, "夜市"), (2, "夜市二期")]
    assert [one.version for one in (await core.scenes(CENTRE)).scenes] == [2]


async def test_a_change_may_bring_another_plan_and_other_holds(life: Life) -> None:
    await register(life)
    request = changed(funding_plan=["bearer", "purse"], hold_timeout_s=60)
    await life.city.core.change_scene(CENTRE, "night_market", request, "change")
    user_id = await life.person(balance_fen=10_000, funds=("purse", "bearer"))
    await life.top_up(user_id, 500, fund="bearer")
    held = await order(life, await life.code(user_id, scenes=["retail"]), Mode.HOLD, 600)
    assert [(line.fund, line.amount_fen) for line in held.lines] == [
        ("bearer", 500),
        ("purse", 100),
    ]
    assert held.hold_expires_at is not None
    assert (held.hold_expires_at - held.recorded_at).total_seconds() == 60


async def test_a_retired_scene_takes_no_orders_and_those_there_are_go_on(life: Life) -> None:
    await register(life)
    core = life.city.core
    user_id = await life.person(balance_fen=10_000, funds=("purse",))
    held = await order(life, await life.code(user_id, scenes=["retail"]), Mode.HOLD, 300)
    request = RetireSceneRequest(reason="the season is over")
    view, _ = await core.retire_scene(CENTRE, "night_market", request, "retire")
    assert (view.version, view.retired) == (2, True)
    code = await life.code(user_id, scenes=["retail"])
    with pytest.raises(SceneRetiredError):
        await order(life, code, Mode.PAY, 100)
    with pytest.raises(SceneRetiredError):
        await core.retire_scene(CENTRE, "night_market", request, "again")
    taken, _ = await core.capture(STALL, held.order_id, CaptureRequest(amount_fen=200), "c")
    assert taken.captured_fen == 200
    back, _ = await core.change_scene(CENTRE, "night_market", changed(), "back")
    assert (back.version, back.retired) == (3, False)
    assert (await order(life, code, Mode.PAY, 100)).status == "captured"
    assert await life.books_are_right()


async def test_only_the_centre_changes_scenes_and_only_registered_ones(life: Life) -> None:
    await register(life)
    core = life.city.core
    retire = RetireSceneRequest(reason="r")
    with pytest.raises(ForbiddenError):
        await core.change_scene(BUS_OFFICE, "night_market", changed(), "k1")
    with pytest.raises(ForbiddenError):
        await core.retire_scene(BUS_OFFICE, "night_market", retire, "k2")
    for scene in ("bus", "moon"):
        with pytest.raises(NotFoundError):
            await core.change_scene(CENTRE, scene, changed(), f"change-{scene}")
        with pytest.raises(NotFoundError):
            await core.retire_scene(CENTRE, scene, retire, f"retire-{scene}")
        with pytest.raises(NotFoundError):
            await core.scene_versions(CENTRE, scene)
    for request in (changed(class_code="moon"), changed(modes=["pay", "pay"])):
        with pytest.raises(RequestInvalidError):
            await core.change_scene(CENTRE, "night_market", request, "bad")
    assert (await core.read_scene(CENTRE, "night_market")).version == 1
