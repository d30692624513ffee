"""``cardcore``: run the city, show it, look after it."""

import sys

import structlog
import typer

from adapters.cli.rooms import Rooms

app = typer.Typer(
    name="cardcore",
    cls=Rooms,
    help="市民卡统一身份与支付核心 · citizen-card identity and payment core",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)


@app.callback()
def log_beside_the_output() -> None:
    """市民卡统一身份与支付核心 · citizen-card identity and payment core."""
    # Logs go to stderr: stdout is what the command was asked for, and may be read by a program.
    # Asked for at each line, so that a stream closed since then is never written to.
    structlog.configure(logger_factory=lambda *_name: structlog.PrintLogger(sys.stderr))


if __name__ == "__main__":
    app()
