"""Commands that run the city: everything at once, or one part for a container."""

import asyncio
import errno
import os
import shlex
import socket
import sys
from importlib.metadata import version
from typing import Annotated, Final, NoReturn

import httpx2
import typer
from rich.console import Console

from adapters import demo_city, demo_people
from adapters.assertions import refuse_optimised_python
from adapters.bus_scene import BusDuties
from adapters.database import DatabaseUnfitError, migrate
from adapters.demo.api_client import APIClient, RefusedError
from adapters.demo.job import PEOPLE
from adapters.embedded_postgres import EmbeddedPostgresError
from adapters.infrastructure import Addresses, running
from adapters.partners.host_app import HostApp
from adapters.server import guest_server, listen, serve, serve_with_workers
from adapters.settings import Settings
from adapters.wiring import City, open_city, utc_now
from adapters.worker import (
    bus_duties,
    channel_duties,
    duties_of,
    fund_duties,
    hospital_duties,
    keep_working,
    make_deliveries,
    order_duties,
    parking_duties,
    stream_duties,
    terminal_duties,
    work,
)
from hsm_sim.interface import HSMError

HOST_APP: Final = "aishandong"

# What a person can paste into another terminal. Python reads the JSON, so nothing else is needed.
_TRY_IT = """
在项目目录的另一个终端里试用 · try it from another terminal in the project's folder:

  TOKEN=$({set}.venv/bin/cardcore token card-centre)
  call() {{ curl -s "$@" -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json"; }}
  pick() {{ python3 -c "import json,sys; print(json.load(sys.stdin)['$1'])"; }}

  # 开户 · open a person
  USER_ID=$(call {url}/v1/users -H "Idempotency-Key: open-1" \\
    -d '{{"name":"示例甲","id_no":"{id_no}","funds":["transit"]}}' | pick user_id)

  # 充值 50 元 · top up 50 yuan
  call {url}/v1/users/$USER_ID/topups -H "Idempotency-Key: topup-1" \\
    -d '{{"fund":"transit","amount_fen":5000,"channel":"test","channel_no":"T-1"}}'; echo

  # 发码，30 秒有效 · a code, good for 30 seconds
  CODE=$(call {url}/v1/users/$USER_ID/codes -d '{{"scenes":["bus","community"]}}' | pick text)

  # 扫码乘车 · the bus pays with it
  ORDER_ID=$(call {url}/v1/orders -H "Idempotency-Key: ride-$RANDOM" -d '{{"user":{{"credential":
    "'"$CODE"'"}},"business":{{"scene":"bus","type":"fare","merchant_id":"{merchant}",
    "terminal_id":"{terminal}","out_trade_no":"R-'"$RANDOM"'","occurred_at":"'$(date -u +%FT%TZ)'",
    "details":{{"line":"101","on_stop":"SC01","off_stop":"DZ01"}}}}}}' | pick order_id)

  # 每一分钱 · every fen, and the books
  call {url}/v1/orders/$ORDER_ID/explain | python3 -m json.tool --no-ensure-ascii
  call {url}/v1/books | python3 -m json.tool

Ctrl-C 停止，数据保留 · Ctrl-C stops it; the data stays.
"""


def run_command() -> None:
    """Start everything: database, security module, demo city, HTTP on 127.0.0.1:8000."""
    refuse_optimised_python()
    console = Console()
    settings = Settings()
    console.print(f"[bold]cardcore {version('cardcore')}[/] · 数据目录 data in {settings.home}")
    try:
        # Known before a city is loaded for nothing; taken for good where it is served.
        listen(settings.host, settings.port).close()
        with running(settings) as addresses:
            console.print("数据库已启动 · PostgreSQL is running (embedded, Unix socket only)")
            console.print("密码机已启动 · the security module runs in a process of its own")
            before, after = migrate(addresses.database_url)
            console.print(
                f"表结构 · schema {after}"
                + (" (unchanged)" if before == after else f" (was {before or 'empty'})")
            )
            asyncio.run(_load_demo_city(addresses, settings))
            console.print("演示城市已载入 · the demo city is loaded")
            host_listener = _host_listener(settings)
            host_url = f"http://{settings.host}:{host_listener.getsockname()[1]}"
            serve(
                addresses,
                settings.model_copy(
                    update={"frame_ancestors": (*settings.frame_ancestors, host_url)}
                ),
                beside=lambda city, url: _live(city, url, settings, host_listener),
                on_ready=lambda _, url: _say_how(console, url, host_url),
            )
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        console.print(
            f"[bold red]cardcore did not start[/]: 端口 port {settings.port} 已被占用 is taken; "
            "choose another with CARDCORE_PORT"
        )
        raise typer.Exit(1) from None
    except (EmbeddedPostgresError, HSMError, DatabaseUnfitError) as error:
        console.print(f"[bold red]cardcore did not start[/]: {error}")
        raise typer.Exit(1) from None


def serve_command(
    workers: Annotated[int, typer.Option(min=1, max=64, help="Worker processes.")] = 1,
    *,
    shared_port: Annotated[bool, typer.Option(hidden=True)] = False,
) -> None:
    """Serve the HTTP face over a database and a security module that are running elsewhere."""
    refuse_optimised_python()
    settings = Settings()
    if workers > 1:
        raise typer.Exit(serve_with_workers(workers))
    serve(_external(settings), settings, shared_port=shared_port)


def worker_command(
    *, once: Annotated[bool, typer.Option(help="Do what is due now, then end.")] = False
) -> None:
    """Do what falls due: release expired holds, forget what is too old to matter."""
    refuse_optimised_python()
    settings = Settings()
    work(_external(settings), settings, once=once)


def migrate_command() -> None:
    """Bring the schema of the database up to what this program needs."""
    settings = Settings()
    if settings.database_url is not None:
        before, after = migrate(settings.database_url)
    else:
        with running(settings) as addresses:
            before, after = migrate(addresses.database_url)
    Console().print(f"schema {before or 'empty'} → {after}")


def token_command(
    client: Annotated[str, typer.Argument(help="A client of the demo city.")],
    url: Annotated[str, typer.Option(help="Where cardcore is served.")] = "",
) -> None:
    """Print an access token of a demo client, got with the client's own key."""
    settings = Settings()
    known = [one.client_id for one in demo_city.CLIENTS]
    if client not in known:
        Console(stderr=True).print(f"no client {client!r}; there are: {', '.join(known)}")
        raise typer.Exit(2)
    base_url = url or f"http://{settings.host}:{settings.port}"
    if not demo_city.client_key_file(settings.clients_home, client).exists():
        _refuse_token(f"{settings.clients_home} 无密钥 has no key of {client}")
    try:
        token = asyncio.run(_token(settings, client, base_url))
    except httpx2.TransportError as error:
        _refuse_token(f"{base_url} 无应答 does not answer: {error}")
    except RefusedError as refusal:
        _refuse_token(f"{base_url} 拒绝 refused {client}: {refusal.code}")
    print(token)  # noqa: T201  (its purpose)


def _refuse_token(why: str) -> NoReturn:
    Console(stderr=True, soft_wrap=True).print(
        f"{why}. 请以 `cardcore run` 启动时的 CARDCORE_HOME、CARDCORE_HOST、CARDCORE_PORT 再试 · "
        "is `cardcore run` up, and started with the same CARDCORE_HOME, _HOST and _PORT?"
    )
    raise typer.Exit(1)


async def _token(settings: Settings, client_id: str, base_url: str) -> str:
    key = demo_city.client_key(settings.clients_home, client_id)
    async with APIClient(base_url, client_id, key) as client:
        return await client.sign_in(utc_now())


def _host_listener(settings: Settings) -> socket.socket:
    """Where the simulated host app is served: the port after ours, or any that is free."""
    try:
        return listen(settings.host, settings.port + 1 if settings.port else 0)
    except OSError:
        return listen(settings.host, 0)


async def _live(city: City, url: str, settings: Settings, host_listener: socket.socket) -> None:
    """The worker's rounds, and the app that embeds the citizen's page."""
    key = demo_city.client_key(settings.clients_home, HOST_APP)
    clock = city.sandbox_clock or utc_now
    async with APIClient(url, HOST_APP, key) as client:
        host = HostApp(client, await demo_people.load(city), clock=clock)
        server = guest_server(host.app())
        await asyncio.gather(_work(city, settings), server.serve(sockets=[host_listener]))


async def _work(city: City, settings: Settings) -> None:
    """What the worker does in a container, done beside the server."""
    deliveries = make_deliveries(city.engine, city.hsm, settings)
    duties = order_duties(city.engine, city.book)
    duties += duties_of(city.pool, city.book, city.hsm, deliveries, city.core.platform.bills)
    duties += fund_duties(city.engine, city.book, city.hsm, settings)
    duties += channel_duties(city.core.channel_money)
    duties += terminal_duties(city.engine, city.hsm, settings)
    duties += await stream_duties(city.engine, city.hsm, settings)
    duties += hospital_duties(city.hospital, city.warnings) + parking_duties(city.parking.drivers)
    bus = BusDuties(engine=city.engine, pool=city.pool, book=city.book, cut_off=settings.cut_off)
    duties += bus_duties(bus)
    await keep_working(duties, asyncio.Event(), clock=city.sandbox_clock or utc_now)


async def _load_demo_city(addresses: Addresses, settings: Settings) -> None:
    async with open_city(addresses, settings) as city:
        await demo_city.load(city, clients_home=settings.clients_home, now=utc_now())


def _set_by_hand() -> str:
    """What another terminal must be told too, for the command line to find this city."""
    names = ("CARDCORE_HOME", "CARDCORE_HOST", "CARDCORE_PORT", "XDG_DATA_HOME")
    given = [f"{name}={shlex.quote(os.environ[name])} " for name in names if name in os.environ]
    return "".join(given)


def _external(settings: Settings) -> Addresses:
    """Addresses of parts that run elsewhere, as a container has them."""
    if settings.database_url is None or settings.hsm_socket is None:
        Console(stderr=True).print(
            "set CARDCORE_DATABASE_URL and CARDCORE_HSM_SOCKET, or use `cardcore run`"
        )
        raise typer.Exit(2)
    return Addresses(database_url=settings.database_url, hsm_socket=settings.hsm_socket)


def _say_how(console: Console, url: str, host_url: str) -> None:
    console.print(f"[bold green]{url}[/]  接口文档 · OpenAPI docs at {url}/docs")
    console.print(
        f"[bold green]{host_url}[/]  市民页面，在模拟的宿主应用中 · citizen's page in its app"
    )
    console.print(f"[bold green]{url}/gate/[/]  门禁核验页面 · gate page")
    sys.stdout.write(
        _TRY_IT.format(
            set=_set_by_hand(),
            url=url,
            id_no=PEOPLE[0].id_no,
            merchant=demo_city.BUS_MERCHANT,
            terminal=demo_city.BUS_TERMINAL,
        )
    )
    sys.stdout.flush()
