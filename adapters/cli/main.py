"""m."""

import typer

app = typer.Typer()
