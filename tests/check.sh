#!/bin/sh
# Every check, in order of cost. Argument: the bin folder of the environment.
set -eu
bin=$1
step() { printf '\n== %s\n' "$1"; }
step "format";            "$bin/ruff" format --check .
step "lint";              "$bin/ruff" check .
step "types";             "$bin/mypy"
step "import contracts";  "$bin/lint-imports"
step "pages";             "$bin/python" -m adapters.pages.check
step "tests";             "$bin/pytest" --numprocesses 2 --dist loadfile
