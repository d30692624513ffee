"""The main job, end to end: a scanned code becomes a fare, an order and a balanced ledger.

Everything is real: the security module's own process and its key ceremony, PostgreSQL, the HTTP
face on a socket, a QR picture read back by an independent reader. The people are synthetic.
"""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import uvicorn

from adapters import demo_city
from adapters.database import migrate
from adapters.demo.api_client import APIClient
from adapters.demo.job import DemoClock, Job, Sources
from adapters.demo.report import DemoFailedError, Report, require
from adapters.demo.steps import STEPS
from adapters.infrastructure import Addresses, running
from adapters.server import http_server, listen
from adapters.settings import Settings
from adapters.wiring import City, make_api, open_city
from hsm_sim.ceremony import new_components
from hsm_sim.client import HSMClient
from hsm_sim.process import HSMProcess

CUSTODIANS: Final = ("custodian one", "custodian two", "custodian three")


def run_demo(sources: Sources, say: Callable[[str], None]) -> Report:
    """Run the main job in a folder of its own that is removed afterwards.

    Returns the report, whatever came of it; ``say`` gets a line per step.
    """
    report = Report()
    with tempfile.TemporaryDirectory(prefix="cardcore-demo-", dir="/tmp") as folder:
        home = Path(folder)
        home.chmod(0o755)  # as root, the database runs as another user
        box = HSMProcess(home / "hsm", development=False)
        try:
            with box, running(Settings(home=home, hsm_socket=box.socket_path)) as addresses:
                asyncio.run(_run(report, sources, Settings(home=home), addresses, say))
        except DemoFailedError as failure:
            say(f"✗ {failure}")
    return report


async def _run(
    report: Report,
    sources: Sources,
    settings: Settings,
    addresses: Addresses,
    say: Callable[[str], None],
) -> None:
    await _key_ceremony(report, addresses)
    say(_line(report))
    clock = DemoClock()
    async with _city_on_a_socket(report, settings, addresses, clock) as (city, base_url):
        say(_line(report))
        clients = [
            APIClient(base_url, name, demo_city.client_key(settings.clients_home, name))
            for name in ("card-centre", demo_city.BUS_TERMINAL, demo_city.GATE_TERMINAL)
        ]
        async with clients[0], clients[1], clients[2]:
            for client in clients:
                await client.sign_in(clock())
            office, validator, gate = clients
            job = Job(report, sources, clock, city, office, validator, gate)
            for step in STEPS:
                await step(job)
                say(_line(report))


def _line(report: Report) -> str:
    step = report.steps[-1]
    figures = ", ".join(
        f"{name} {value}" for name, value in step.figures.items() if isinstance(value, int | float)
    )
    return f"✓ {step.name} · {step.title_zh} ({step.ms:.0f} ms) {figures}"


# -- 1: keys -----------------------------------------------------------------------------------


async def _key_ceremony(report: Report, addresses: Addresses) -> None:
    """Three custodians each give their component over a connection of their own."""
    with report.step("key_ceremony", "密钥仪式") as figures:
        async with HSMClient(addresses.hsm_socket, name="ceremony") as chair:
            before = await chair.status()
            require(not before.unlocked, "the box is open before any custodian has come")
            components = new_components(os.urandom)
            for name, component in zip(CUSTODIANS, components, strict=True):
                async with HSMClient(addresses.hsm_socket, name=name) as custodian:
                    await custodian.give_component(component, name=name)
            status = await chair.status()
            require(status.unlocked, "the box is closed after all custodians have come")
            figures["custodians"] = len(components)
            figures["check_values"] = [one.check_value.hex() for one in components]
            figures["hsm_process_id"] = status.process_id


@asynccontextmanager
async def _city_on_a_socket(
    report: Report, settings: Settings, addresses: Addresses, clock: DemoClock
) -> AsyncIterator[tuple[City, str]]:
    """The city over a fresh database, served on a free port of the loopback interface."""
    with report.step("start_city", "启动数据库与服务") as figures:
        before, after = await asyncio.to_thread(migrate, addresses.database_url)
        require(before is None, "the demo's database is not fresh")
        figures["schema"] = after
    async with open_city(addresses, settings, clock=clock) as city:
        await demo_city.load(city, clients_home=settings.clients_home, now=clock())
        listener = listen(settings.host, 0)
        base_url = f"http://{settings.host}:{listener.getsockname()[1]}"
        app = await make_api(city, public_url=base_url, clock=clock, log_to=None)
        server = http_server(app)
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            await _until_started(server, task)
            yield city, base_url
        finally:
            server.should_exit = True
            await task


async def _until_started(server: uvicorn.Server, task: "asyncio.Task[None]") -> None:
    while not server.started and not task.done():  # noqa: ASYNC110  (a flag, not an event)
        await asyncio.sleep(0.01)
