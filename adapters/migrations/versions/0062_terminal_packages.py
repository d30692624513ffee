"""Terminal packages: parameters and kept versions."""

from adapters.migrations.sql import run_file

revision = "0062_terminal_packages"
down_revision = "0061_authorisations"


def upgrade() -> None:
    """Add ``terminal_parameters`` and ``terminal_package``."""
    run_file("cardcore", "0062_terminal_packages.sql")
