"""``cardcore bench <name>``: figures beside a reference of the same run."""

import typer

app = typer.Typer(help="Measure, always beside a reference of the same run.", no_args_is_help=True)
