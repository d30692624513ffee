"""``cardcore insurance``: a simulated insurer in a process of its own."""

from typing import Annotated

import typer
from rich.console import Console

from adapters.partners.insurance_server import serve_insurer
from adapters.server import listen
from adapters.settings import Settings

app = typer.Typer(help="模拟医保 · a simulated medical insurer.", no_args_is_help=True)


@app.callback()
def insurance() -> None:
    """模拟医保 · a simulated medical insurer."""


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 8090,
) -> None:
    """Serve until stopped; the books lie in the data folder and stay."""
    listener = listen(host, port)
    # Connections made from now on wait: whoever reads the address may connect.
    listener.listen()
    url = f"http://{host}:{listener.getsockname()[1]}"
    Console().print(f"模拟医保 simulated insurer: CARDCORE_INSURANCE_URL={url}")
    serve_insurer(Settings().home, listener)
