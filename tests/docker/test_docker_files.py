"""The container files, checked without an engine: what they name exists and can be run."""

import http.server
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from typer.core import TyperGroup

from adapters.cli.main import app

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
COMPOSE = DOCKER / "compose.yaml"

# The part of the Compose specification that is used here; a misspelled key is found by it.
TOP_KEYS = {"name", "services", "networks", "volumes", "secrets"}
SERVICE_KEYS = {
    "build", "cap_drop", "command", "depends_on", "environment", "healthcheck", "image", "init",
    "logging", "network_mode", "networks", "ports", "read_only", "restart", "secrets",
    "security_opt", "shm_size", "stop_grace_period", "tmpfs", "user", "volumes",
}  # fmt: skip
HEALTH_KEYS = {"test", "interval", "timeout", "retries", "start_period"}
CONDITIONS = {"service_healthy", "service_completed_successfully", "service_started"}


def _compose(path: Path = COMPOSE) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return document


def _services() -> dict[str, dict[str, Any]]:
    services: dict[str, dict[str, Any]] = _compose()["services"]
    return services


def _dockerfile() -> list[tuple[str, str]]:
    """Instructions of the Dockerfile with their arguments, continued lines joined."""
    text = (DOCKER / "Dockerfile").read_text(encoding="utf-8")
    joined = re.sub(r"\\\n\s*", " ", text)
    lines = [line for line in joined.splitlines() if line.strip() and not line.startswith("#")]
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines)]


def _our_commands() -> list[tuple[str, list[str]]]:
    """Every command line of our image: of services, of the override, of health checks."""
    found = []
    for path in (COMPOSE, DOCKER / "compose.production.yaml"):
        for name, service in _compose(path)["services"].items():
            if str(service.get("image", "cardcore")).startswith("cardcore"):
                found.append((name, service["command"]))
                test = service.get("healthcheck", {}).get("test", [])
                if test[1:2] == ["cardcore"]:
                    found.append((f"{name} health", test[2:]))
    default = json.loads(dict(_dockerfile())["CMD"])
    return [*found, ("image", default)]


@pytest.mark.parametrize(("where", "words"), _our_commands())
def test_every_command_and_option_exists(where: str, words: list[str]) -> None:
    """How: the words are parsed by the program's own parser, and nothing is run."""
    command = typer.main.get_command(app)
    rest = [str(word) for word in words]
    while isinstance(command, TyperGroup):
        name = rest.pop(0)
        found = command.get_command(typer.Context(command), name)
        assert found is not None, f"{where}: there is no command {name}"
        command = found
    command.make_context(command.name, rest)


def test_compose_uses_known_keys_only() -> None:
    document = _compose()
    assert {key for key in document if not key.startswith("x-")} == TOP_KEYS
    for name, service in document["services"].items():
        assert set(service) <= SERVICE_KEYS, name
        assert set(service.get("healthcheck", {})) <= HEALTH_KEYS, name
        assert "image" in service, name


def test_what_a_service_names_is_there() -> None:
    document = _compose()
    services = document["services"]
    for name, service in services.items():
        for other, how in service.get("depends_on", {}).items():
            assert how["condition"] in CONDITIONS, name
            if how["condition"] == "service_healthy":
                assert "healthcheck" in services[other], f"{name} waits for the health of {other}"
        for volume in service.get("volumes", []):
            assert volume.split(":")[0] in document["volumes"], name
        for kind in ("networks", "secrets"):
            assert set(service.get(kind, [])) <= set(document[kind]), name
    for secret in document["secrets"].values():
        assert secret["file"].startswith("./secrets/")


def test_only_the_loopback_port_is_open() -> None:
    ports = {name: service["ports"] for name, service in _services().items() if "ports" in service}
    assert ports == {"api": ["127.0.0.1:8000:8000"]}
    assert _services()["hsm"]["network_mode"] == "none"
    assert _compose()["networks"]["inside"] == {"internal": True}


def test_a_secret_a_variable_points_to_is_mounted() -> None:
    for name, service in _services().items():
        for variable, value in service.get("environment", {}).items():
            assert "PASSWORD" not in variable or variable.endswith("_FILE"), name
            if variable.endswith("_FILE"):
                assert value.removeprefix("/run/secrets/") in service["secrets"], name


def test_hsm_and_its_callers_share_the_socket_and_the_user() -> None:
    """Why: the box knows its callers by user id; another user would be refused."""
    services = _services()
    socket = services["api"]["environment"]["CARDCORE_HSM_SOCKET"]
    assert socket in services["hsm"]["command"]
    assert socket in services["hsm"]["healthcheck"]["test"]
    for name in ("hsm", "api", "worker"):
        assert f"hsm-socket:{Path(socket).parent}" in services[name]["volumes"]
        assert "user" not in services[name]
    assert (
        "--development"
        not in _compose(DOCKER / "compose.production.yaml")["services"]["hsm"]["command"]
    )


def test_our_containers_have_no_more_rights_than_they_need() -> None:
    for name, service in _services().items():
        if service["image"].startswith("cardcore"):
            assert service["read_only"] is True, name
            assert service["cap_drop"] == ["ALL"], name
            assert service["security_opt"] == ["no-new-privileges:true"], name
    users = [rest for word, rest in _dockerfile() if word == "USER"]
    assert users == ["10001:10001"]


def test_everything_copied_exists_and_is_let_through() -> None:
    let_through = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    packages = set()
    for word, rest in _dockerfile():
        if word == "COPY" and "--from=" not in rest:
            sources = [part for part in rest.split() if not part.startswith("--")][:-1]
            for source in sources:
                assert (ROOT / source).exists(), source
                assert f"!{source}" in let_through, source
                packages |= {source} if (ROOT / source).is_dir() else set()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert packages == set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])
    assert let_through[1] == "*"  # everything else stays out


def test_everything_installed_is_named_by_a_hash() -> None:
    for word, rest in _dockerfile():
        assert word != "ADD"
        for command in re.split(r"&&", rest) if word == "RUN" else []:
            if "pip install" in command:
                assert "--require-hashes" in command or "--no-index" in command, command
    developer_lock = (ROOT / "locks" / "dev.txt").read_text(encoding="utf-8")
    for line in (DOCKER / "build-backend.txt").read_text(encoding="utf-8").splitlines()[1:]:
        assert line.rstrip("\\ ") in developer_lock, line


def test_the_entry_point_reads_secrets_from_files(tmp_path: Path) -> None:
    (tmp_path / "cardcore").write_text(
        '#!/bin/sh\nprintf "%s|%s|%s" "$*" "$CARDCORE_DATABASE_URL" '
        '"${CARDCORE_DATABASE_URL_FILE-none}"\n'
    )
    (tmp_path / "cardcore").chmod(0o755)
    secret = tmp_path / "url"
    secret.write_text("postgresql://u:p w$x`y'z@h/d\nsecond line\n")
    environment = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "CARDCORE_DATABASE_URL_FILE": str(secret),
    }
    entry_point = ["sh", str(DOCKER / "entrypoint.sh"), "hsm", "serve"]
    result = subprocess.run(
        entry_point, env=environment, capture_output=True, text=True, check=True
    )
    assert result.stdout == "hsm serve|postgresql://u:p w$x`y'z@h/d|none"
    secret.unlink()
    result = subprocess.run(
        entry_point, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 2
    assert "cannot be read" in result.stderr


def test_secrets_are_made_once_and_fit_together(tmp_path: Path) -> None:
    script = shutil.copy(DOCKER / "make_secrets.sh", tmp_path)
    for _ in range(2):
        subprocess.run(["sh", script], check=True, capture_output=True)
        password = (tmp_path / "secrets" / "postgres_password").read_text().strip()
        assert len(password) == 48
        url = (tmp_path / "secrets" / "database_url").read_text().strip()
        assert url == f"postgresql://cardcore:{password}@postgres/cardcore"
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    assert "secrets/" in (DOCKER / ".gitignore").read_text()


@pytest.mark.parametrize(("status", "exit_code"), [(200, 0), (503, 1)])
def test_the_health_check_of_the_api_tells_ready_from_not_ready(
    status: int, exit_code: int
) -> None:
    class Ready(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/readyz" else 404)
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    with http.server.HTTPServer(("127.0.0.1", 0), Ready) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        kind, program, *arguments = _services()["api"]["healthcheck"]["test"]
        assert (kind, program) == ("CMD", "python")
        port = str(server.server_address[1])
        result = subprocess.run(
            [sys.executable, *(one.replace("8000", port) for one in arguments)],
            capture_output=True,
            check=False,
        )
        thread.join()
    assert result.returncode == exit_code


def test_shell_files_are_well_formed() -> None:
    for path in DOCKER.glob("*.sh"):
        subprocess.run(["sh", "-n", path], check=True)
        assert path.read_text().startswith("#!/bin/sh\n")
    assert shlex.split(dict(_dockerfile())["STOPSIGNAL"]) == ["SIGTERM"]
