"""``cardcore operator``: the people who sign in; the first of them can only be added here."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import Annotated, Final, TypeVar

import qrcode
import typer
from rich.console import Console
from rich.table import Table

from adapters.assertions import refuse_optimised_python
from adapters.infrastructure import Addresses, running
from adapters.settings import Settings
from adapters.wiring import open_city
from cardcore.caller import Caller, Scope
from cardcore.errors import CardcoreError
from cardcore.platform.operators import Operators
from cardcore.platform.request import NewOperator
from cardcore.platform.roles import Role

app = typer.Typer(no_args_is_help=True, help="Operators: add, reset, list, disable.")

T = TypeVar("T")
Name = Annotated[str, typer.Argument(help="The operator's id, like zhang.wei.")]

# Whoever may run this on the machine could do as much with the database itself; the audit log
# names the command line.
COMMAND_LINE: Final = Caller(
    client_id="command-line",
    merchant_id=None,
    scopes=frozenset({Scope.OPERATORS_WRITE.value}),
)


@app.command("add")
def add_command(
    operator_id: Name,
    *,
    name: Annotated[str, typer.Option(help="The person's name.")],
    role: Annotated[list[Role], typer.Option(help="May be given several times.")],
) -> None:
    """Add an operator. Prints a password and the authenticator's code, both once."""
    password = secrets.token_urlsafe(18)

    async def run(operators: Operators) -> str:
        request = NewOperator(operator_id=operator_id, name=name, roles=role, password=password)
        _, uri = await operators.add(COMMAND_LINE, request)
        return uri

    _hand_over(password, _with_operators(run))


@app.command("reset")
def reset_command(operator_id: Name) -> None:
    """Give a new password and a new authenticator code; unlocks, and ends running sessions."""
    password = secrets.token_urlsafe(18)
    uri = _with_operators(lambda operators: operators.reset(COMMAND_LINE, operator_id, password))
    _hand_over(password, uri)


@app.command("list")
def list_command() -> None:
    """Show all operators."""
    table = Table("id", "name 姓名", "roles 角色", "status 状态", "locked until 锁定至")
    for one in _with_operators(lambda operators: operators.list(COMMAND_LINE)):
        until = "" if one.locked_until is None else one.locked_until.isoformat()
        table.add_row(one.operator_id, one.name, ", ".join(one.roles), one.status, until)
    Console().print(table)


@app.command("disable")
def disable_command(operator_id: Name) -> None:
    """Shut an operator out at once."""
    _with_operators(lambda operators: operators.set_status(COMMAND_LINE, operator_id, "disabled"))
    Console().print(f"{operator_id} disabled · 已停用")


@app.command("enable")
def enable_command(operator_id: Name) -> None:
    """Let an operator in again."""
    _with_operators(lambda operators: operators.set_status(COMMAND_LINE, operator_id, "active"))
    Console().print(f"{operator_id} active · 已启用")


def _hand_over(password: str, uri: str) -> None:
    console = Console(soft_wrap=True, highlight=False)
    console.print(f"password 密码: {password}")
    console.print(f"authenticator 验证器: {uri}")
    code = qrcode.QRCode(border=1)
    code.add_data(uri)
    code.print_ascii(invert=True)
    console.print("shown once; hand over in person · 仅显示一次，请当面交付")


def _with_operators(use: Callable[[Operators], Awaitable[T]]) -> T:
    """Open the city, use its operators, close it; a refusal is told and ends with exit code 1."""
    refuse_optimised_python()
    settings = Settings()

    async def run(addresses: Addresses) -> T:
        async with open_city(addresses, settings) as city:
            return await use(city.core.platform.operators)

    try:
        if settings.database_url is not None and settings.hsm_socket is not None:
            addresses = Addresses(
                database_url=settings.database_url, hsm_socket=settings.hsm_socket
            )
            return asyncio.run(run(addresses))
        with running(settings) as addresses:
            return asyncio.run(run(addresses))
    except CardcoreError as error:
        Console(stderr=True).print(f"[bold red]{error.code}[/] {error}")
        raise typer.Exit(1) from None
