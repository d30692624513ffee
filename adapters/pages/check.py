"""Checks of the TypeScript sources: types, format, unit tests (``make test`` runs this).

Without Node there is nothing to check with, which is said, and is no failure: the pages were not
built either.
"""

import subprocess
import sys
from typing import Final

from adapters.pages.build import WEB, NodeMissingError, find_node, install_packages

_SCRIPTS: Final = ("check", "test")


def main() -> int:
    """Run every check; the exit code of the first that fails."""
    try:
        node = find_node()
        install_packages(node)
    except NodeMissingError as fault:
        print(f"pages: not checked, {fault}")  # noqa: T201
        return 0
    for script in _SCRIPTS:
        command = [*node.npm, "run", "--silent", script]
        done = subprocess.run(command, cwd=WEB, check=False)  # noqa: S603  (our own scripts)
        if done.returncode != 0:
            return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
