"""Running a package's own SQL file as a migration step."""

from importlib.resources import files

from alembic import op


def run_file(package: str, name: str) -> None:
    """Run ``<package>/schema/<name>`` as it stands: several statements, no parameters."""
    text = files(f"{package}.schema").joinpath(name).read_text(encoding="utf-8")
    # The driver's own connection: SQLAlchemy would read a colon in the text as a parameter.
    cursor = op.get_bind().connection.cursor()
    cursor.execute(text.encode())
    cursor.close()
