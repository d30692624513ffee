"""The steps of the main job, each shown through the public interfaces with its figures."""

import asyncio
import io
import json
import time
from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from typing import Any, Final

from PIL import Image

import codes
from adapters import demo_city, demo_feed
from adapters.demo.api_client import RefusedError
from adapters.demo.job import PEOPLE, Job
from adapters.demo.network import (
    MINOR_PER_UNIT,
    ChosenRide,
    choose_distance_ride,
    choose_feed_ride,
)
from adapters.demo.report import DemoFailedError, require
from adapters.feed_files import read_feed_files
from adapters.symbol_reader import symbols_in
from codes import base45, qr
from hsm_sim.interface import HSMError
from scenes.bus import service as bus_service
from scenes.bus.gtfs import read_feed

VERIFY_ROUNDS: Final = 200
TOP_UP_FEN: Final = 50_000


async def _issuer_keys(job: Job) -> None:
    """The issuer's keys exist, their public halves are published, and none of them comes out."""
    with job.report.step("issuer_keys", "发行密钥不出密码机") as figures:
        ring = await job.office.get("/v1/key-ring")
        job.report.key_ring = ring
        require(len(ring["keys"]) >= 1, "no issuer key")
        labels = [info.label for info in await job.city.hsm.list_keys()]
        for label in [label for label in labels if label.startswith("issuer-")]:
            for attempt in (job.city.hsm.wrap, job.city.hsm.unwrap):
                try:
                    await attempt(label, b"x", context=b"")
                except HSMError:
                    continue
                raise DemoFailedError(f"{label} served a purpose that is not its own")
        figures["keys_in_hsm"] = len(labels)
        figures["issuer_keys"] = len(ring["keys"])


async def _import_network(job: Job) -> None:
    """A GTFS feed and lines priced by a distance sentence, atomically and with versions."""
    with job.report.step("import_network", "导入线网与票价") as figures:
        now = job.clock()
        feed_files, minor_per_unit = demo_feed.feed_files(), demo_feed.MINOR_PER_UNIT
        if job.sources.gtfs is not None:
            feed_files = read_feed_files(job.sources.gtfs, ".txt")
            minor_per_unit = {**MINOR_PER_UNIT, **job.sources.fen_per_unit}
        line_files = demo_feed.line_files()
        if job.sources.lines is not None:
            line_files = read_feed_files(job.sources.lines, ".json")
        async with job.city.pool.connection() as connection:
            imported = await bus_service.import_feed(
                connection,
                source=demo_city.FEED_SOURCE,  # a real feed takes the place of the bundled one
                files=feed_files,
                minor_per_unit=minor_per_unit,
                imported_by="demo",
                at=now,
            )
            await bus_service.import_lines(
                connection,
                source=demo_city.LINES_SOURCE,
                files=line_files,
                imported_by="demo",
                at=now,
            )
        await job.city.reload_fares()
        feed = await asyncio.to_thread(read_feed, feed_files, minor_per_unit)
        lines = bus_service.read_distance_lines(line_files)
        by_feed = choose_feed_ride(job.city, feed, now)
        job.rides = [by_feed, choose_distance_ride(job.city, lines, now), by_feed]
        figures |= {
            "stops": len(feed.stops),
            "lines": len(feed.lines),
            "trips": len(feed.trips),
            "fare_rules": len(feed.fare_rules),
            "distance_lines": len(lines),
            "version_no": imported.version_no,
            "feed_ride": job.rides[0].details() | {"fare_fen": job.rides[0].fare_fen},
            "distance_ride": job.rides[1].details() | {"fare_fen": job.rides[1].fare_fen},
        }


async def _open_people(job: Job) -> None:
    """An adult, a senior and a student, real-name, with a funded transit purse."""
    with job.report.step("open_people", "开户与充值") as figures:
        today = job.clock().date()
        for person in PEOPLE:
            rights = []
            if person.concession is not None:
                rights.append(_entitlement(person.concession, today))
            user = await job.office.post(
                "/v1/users",
                {
                    "name": person.name,
                    "id_no": person.id_no,
                    "funds": ["transit"],
                    "entitlements": rights,
                },
            )
            require(user["level"] == "real_name", "the level is not real-name")
            job.user_ids[person.role] = user["user_id"]
            amount_fen = TOP_UP_FEN
            await job.office.post(
                f"/v1/users/{user['user_id']}/topups",
                {
                    "fund": "transit",
                    "amount_fen": amount_fen,
                    "channel": "demo_channel",
                    "channel_no": f"CH-{person.role}",
                },
            )
        figures["users"] = len(job.user_ids)
        figures["topup_fen"] = TOP_UP_FEN * len(job.user_ids)


def _entitlement(concession: str, today: date) -> dict[str, str]:
    return {
        "concession": concession,
        "evidence": "synthetic certificate of the demo",
        "valid_from": (today - timedelta(days=1)).isoformat(),
        "valid_to": (today + timedelta(days=365)).isoformat(),
    }


async def _issue_codes(job: Job) -> None:
    """A class S code for each, as a QR picture, read back by a reader that is not ours."""
    with job.report.step("issue_codes", "发码、出图、独立识读") as figures:
        sizes = []
        for role, user_id in job.user_ids.items():
            text = await _fresh_code(job, role, user_id)
            picture = await asyncio.to_thread(qr.png, text)
            sizes.append(len(picture))
            found = symbols_in(Image.open(io.BytesIO(picture)))
            require(len(found) == 1, f"the reader found {len(found)} codes")
            require(found[0].text == text, "the reader read something else than was issued")
            job.texts[role] = found[0].text
        figures["codes"] = len(job.texts)
        figures["png_bytes"] = max(sizes)
        figures["text_size"] = max(len(text) for text in job.texts.values())


async def _fresh_code(job: Job, role: str, user_id: str) -> str:
    issued = await job.office.post(
        f"/v1/users/{user_id}/codes", {"scenes": ["bus", "community"], "ttl_s": 30}
    )
    job.report.codes.append(
        {
            "holder": role,
            "text": issued["text"],
            "code_class": issued["code_class"],
            "issued_at": issued["issued_at"],
            "expires_at": issued["expires_at"],
        }
    )
    return str(issued["text"])


async def _verify_offline(job: Job) -> None:
    """The validator judges the scanned text by the public key ring alone, without the server."""
    with job.report.step("verify_offline", "车载机离线验码") as figures:
        published = await job.validator.get("/v1/key-ring")
        ring = codes.KeyRing.from_json(json.dumps(published))
        policy = codes.Policy(scope=codes.Scope.BUS, place_ids=(demo_city.BUS_TERMINAL,))
        now = job.clock()
        started = time.perf_counter()
        for _ in range(VERIFY_ROUNDS):
            codes.verify(job.texts["adult"], ring, None, policy, now, None)
        figures["ms_per_verify"] = round((time.perf_counter() - started) * 1000 / VERIFY_ROUNDS, 3)
        figures["rounds"] = VERIFY_ROUNDS
        for role, text in job.texts.items():
            accepted = codes.verify(text, ring, None, policy, now, codes.MemoryReplayGuard())
            require(accepted.code_class is codes.CodeClass.S, f"{role}: not class S")


async def _ride(job: Job) -> None:
    """Each rides; the senior's fare is shared between citizen and finance bureau."""
    with job.report.step("bus_orders", "车载机扣款") as figures:
        payers: dict[str, int] = {}
        nominal_fen = 0
        for (role, text), ride in zip(job.texts.items(), job.rides, strict=True):
            started = time.perf_counter()
            order = await _pay(job, role, text, ride)
            job.order_ms.append((time.perf_counter() - started) * 1000)
            require(order["nominal_fen"] == ride.fare_fen, f"{role}: not the published fare")
            job.orders[role] = order
            nominal_fen += order["nominal_fen"]
            for line in order["lines"]:
                payers[line["payer"]] = payers.get(line["payer"], 0) + line["amount_fen"]
        senior = {line["payer"]: line["amount_fen"] for line in job.orders["senior"]["lines"]}
        require("citizen" in senior, "the senior's own share has no line")
        require(senior.get("finance_bureau", 0) > 0, "the senior's ride has no subsidy line")
        require(sum(payers.values()) == nominal_fen, "the payers do not add up to the fares")
        figures |= {
            "orders": len(job.orders),
            "nominal_fen": nominal_fen,
            "fen_per_payer": payers,
            "ms_per_order": round(sum(job.order_ms) / len(job.order_ms), 2),
        }


async def _pay(job: Job, no: str, text: str, ride: ChosenRide) -> dict[str, Any]:
    return await job.validator.post(
        "/v1/orders",
        {
            "user": {"credential": text},
            "account": {"fund": "auto"},
            "business": {
                "scene": "bus",
                "type": "fare",
                "merchant_id": demo_city.BUS_MERCHANT,
                "terminal_id": demo_city.BUS_TERMINAL,
                "out_trade_no": f"RIDE-{no}",
                "occurred_at": job.clock().isoformat(),
                "details": ride.details(),
            },
            "mode": "pay",
        },
    )


async def _refused_code(job: Job, no: str, text: str) -> str:
    """The stable code with which an order for this text is refused."""
    try:
        await _pay(job, no, text, job.rides[0])
    except RefusedError as refused:
        return refused.code
    raise DemoFailedError(f"{no}: the order was booked")


async def _refuse(job: Job) -> None:
    """A replayed, a bit-flipped and an expired code are refused, each by its own name."""
    with job.report.step("refusals", "重放、篡改、过期的码均被拒绝") as figures:
        before = await job.office.get("/v1/books")
        figures["replayed"] = await _refused_code(job, "replay", job.texts["adult"])
        require(figures["replayed"] == "code_replayed", "the second scan was not seen as a replay")
        fresh = await _fresh_code(job, "adult (to be altered)", job.user_ids["adult"])
        figures["bit_flipped"] = await _refused_code(job, "flip", _flip_a_bit(fresh))
        require(figures["bit_flipped"] == "code_invalid", "the altered code was not seen through")
        job.clock.ahead += timedelta(minutes=5)
        figures["expired"] = await _refused_code(job, "late", fresh)
        require(figures["expired"] == "code_expired", "the old code was not seen as expired")
        require(await job.office.get("/v1/books") == before, "a refused order moved money")


def _flip_a_bit(text: str) -> str:
    """The same code with one bit of its signature changed, in the same text form."""
    data = bytearray(codes.decode(text).to_bytes())
    data[-1] ^= 1
    return "M1:" + base45.encode(bytes(data))


async def _pass_the_gate(job: Job) -> None:
    """A community gate uses the same call with nothing to pay."""
    with job.report.step("gate_record", "社区门禁登记（零金额）") as figures:
        text = await _fresh_code(job, "senior (gate)", job.user_ids["senior"])
        order = await job.gate.post(
            "/v1/orders",
            {
                "user": {"credential": text},
                "business": {
                    "scene": "community",
                    "type": "passage",
                    "merchant_id": demo_city.GATE_MERCHANT,
                    "terminal_id": demo_city.GATE_TERMINAL,
                    "out_trade_no": "GATE-1",
                    "occurred_at": job.clock().isoformat(),
                    "details": {"door": "N01", "direction": "in"},
                },
                "mode": "record",
            },
        )
        require(order["status"] == "recorded", "the passage was not recorded")
        require(order["nominal_fen"] == 0, "the passage cost something")
        figures["status"] = order["status"]
        figures["nominal_fen"] = order["nominal_fen"]


async def _refund(job: Job) -> None:
    """The senior's ride is given back to where it came from."""
    with job.report.step("refund", "退一次乘车款") as figures:
        order_id = job.orders["senior"]["order_id"]
        refund = await job.office.post(
            f"/v1/orders/{order_id}/refunds",
            {"out_refund_no": "REFUND-1", "reason": "乘客误刷 / scanned by mistake"},
        )
        require(
            refund["amount_fen"] == job.orders["senior"]["nominal_fen"], "not all was given back"
        )
        figures["refund_fen"] = refund["amount_fen"]
        figures["fen_per_payer"] = {line["payer"]: line["amount_fen"] for line in refund["lines"]}


async def _explain(job: Job) -> None:
    """Every fen of every order is accounted for by the ledger's own transfers."""
    with job.report.step("explain", "逐分解释") as figures:
        transfers = 0
        for order in job.orders.values():
            explained = await job.office.get(f"/v1/orders/{order['order_id']}/explain")
            require(
                explained["explained_fen"] == order["nominal_fen"],
                f"{explained['explained_fen']} of {order['nominal_fen']} fen are explained",
            )
            for line in explained["lines"]:
                carried_fen = sum(one["amount_fen"] for one in line["transfers"])
                require(carried_fen == line["amount_fen"], "a line and its transfers differ")
                transfers += len(line["transfers"])
            for refund in explained["refunds"]:
                transfers += sum(len(line["transfers"]) for line in refund["lines"])
        figures["orders"] = len(job.orders)
        figures["ledger_transfers"] = transfers


async def _close_the_books(job: Job) -> None:
    """Trial balance and custody invariant, over the whole ledger."""
    with job.report.step("close_books", "试算平衡与备付金核对") as figures:
        books = await job.office.get("/v1/books")
        job.report.trial_balance_fen = books["trial_balance_fen"]
        job.report.custody_difference_fen = books["custody_difference_fen"]
        require(books["trial_balance_fen"] == 0, "the trial balance is not zero")
        require(books["custody_difference_fen"] == 0, "custody does not cover what we owe")
        figures["accounts"] = {one["account"]: one["credits_fen"] for one in books["accounts"]}


STEPS: Final[tuple[Callable[[Job], Awaitable[None]], ...]] = (
    _issuer_keys,
    _import_network,
    _open_people,
    _issue_codes,
    _verify_offline,
    _ride,
    _refuse,
    _pass_the_gate,
    _refund,
    _explain,
    _close_the_books,
)
