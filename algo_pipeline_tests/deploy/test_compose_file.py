from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic.fields import FieldInfo

from algo_pipeline.common.config import PREFIX, Settings
from algo_pipeline_tests.deploy.compose import COMPOSE_FILE, ROOT, ComposeService, compose_document, read_compose

_SERVICES = read_compose()
_PINNED = re.compile(r"[a-z0-9./-]+:\d+\.\d+(\.\d+)?(-[a-z0-9.]+)?")
_PROXY = "proxy"

services = pytest.mark.parametrize("service", _SERVICES.values(), ids=lambda service: service.name)


def test_the_file_is_valid_by_the_schema_of_the_compose_specification() -> None:
    check = [str(Path(sys.executable).parent / "check-jsonschema"), "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*check, str(COMPOSE_FILE)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_process_of_the_pipeline_is_a_service() -> None:
    started = [name for name, service in _SERVICES.items() if not service.profiles]
    assert started == ["postgres", "code-server", "daemon", "webserver", "mlflow", "dashboard"]
    assert {name for name, service in _SERVICES.items() if service.profiles} == {"sandbox", _PROXY}


@services
def test_no_service_has_more_rights_than_it_needs(service: ComposeService) -> None:
    said = service.document
    user, _, group = said["user"].partition(":")
    assert int(user) > 0
    assert int(group) > 0
    assert said["cap_drop"] == ["ALL"]
    assert "cap_add" not in said
    assert "privileged" not in said
    assert said["security_opt"] == ["no-new-privileges:true"]
    assert said["read_only"] is True


@services
def test_every_service_is_watched_restarted_limited_and_stopped_gently(service: ComposeService) -> None:
    said = service.document
    assert service.health_check
    assert {"interval", "timeout", "retries"} <= set(said["healthcheck"])
    assert said["restart"] == "unless-stopped"
    assert set(said["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}
    assert said["logging"]["options"] == {"max-size": "10m", "max-file": "5"}
    assert said["stop_grace_period"]
    assert said["init"] is True


@services
def test_ports_are_published_on_loopback_but_for_the_proxy_with_its_password(service: ComposeService) -> None:
    published = service.document.get("ports", [])
    if service.name == _PROXY:
        assert service.profiles == (_PROXY,)
        assert "proxy_users" in service.document["secrets"]
    else:
        assert all(port.startswith("127.0.0.1:") for port in published)


def test_no_two_services_publish_the_same_port() -> None:
    ports = [port.split(":")[-2] for service in _SERVICES.values() for port in service.document.get("ports", [])]
    assert len(ports) == len(set(ports))


@services
def test_images_are_pinned_and_ours_carries_the_version_of_the_project(service: ComposeService) -> None:
    image = service.document["image"]
    assert _PINNED.fullmatch(image)
    if service.is_ours:
        version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
        assert image == f"algo-pipeline:{version}"


@services
def test_a_service_waits_until_what_it_needs_is_healthy(service: ComposeService) -> None:
    needed = service.document.get("depends_on", {})
    assert set(needed) <= set(_SERVICES)
    assert all(how == {"condition": "service_healthy"} for how in needed.values())
    assert service.name == "postgres" or needed


def test_the_code_server_waits_for_no_part_that_live_trading_can_do_without() -> None:
    assert set(_SERVICES["code-server"].document["depends_on"]) == {"postgres"}


@services
def test_commands_are_console_scripts_of_installed_packages(service: ComposeService) -> None:
    if not service.is_ours:
        return
    scripts = {each.name for each in entry_points(group="console_scripts")}
    assert service.command[0] in scripts
    assert service.health_check[0] in {*scripts, "python"}


@services
def test_every_setting_that_a_service_is_given_exists(service: ComposeService) -> None:
    given = {name for name in service.environment if name.startswith(PREFIX)}
    assert given <= {f"{PREFIX}{field.upper()}" for field in Settings.model_fields}


def test_every_variable_of_the_file_is_a_setting_or_the_host_of_the_proxy() -> None:
    names = set(re.findall(r"\$\{?([A-Z_]+)", COMPOSE_FILE.read_text()))
    settings = {f"{PREFIX}{field.upper()}" for field in Settings.model_fields}
    assert names - settings == {"PROXY_HOST"}


@services
def test_volumes_networks_and_secrets_are_declared_and_files_exist(service: ComposeService) -> None:
    document, said = compose_document(), service.document
    for volume in said.get("volumes", []):
        source = volume.split(":")[0]
        assert (ROOT / source).is_file() if source.startswith("./") else source in document["volumes"]
    assert set(said.get("networks", [])) <= set(document["networks"])
    assert set(said.get("secrets", [])) <= set(document["secrets"])


def test_everything_that_is_declared_is_used() -> None:
    document = compose_document()
    for kind in ("secrets", "networks"):
        assert {each for service in _SERVICES.values() for each in service.document.get(kind, [])} == set(
            document[kind]
        )
    used = {volume.split(":")[0] for service in _SERVICES.values() for volume in service.document.get("volumes", [])}
    assert {name for name in used if not name.startswith("./")} == set(document["volumes"])


def test_databases_are_reached_by_no_container_that_does_not_need_them() -> None:
    assert compose_document()["networks"]["stores"] == {"internal": True}
    inside = {name for name, service in _SERVICES.items() if "stores" in service.document.get("networks", [])}
    assert inside == {"postgres", "code-server", "daemon", "webserver", "mlflow"}
    assert _SERVICES["postgres"].document["networks"] == ["stores"]


def test_keys_and_addresses_of_alerts_reach_the_code_server_alone() -> None:
    secrets = {f"{PREFIX}{name.upper()}" for name in ("alpaca_api_key", "alpaca_secret_key", "alert_urls")}
    given = {name for name, service in _SERVICES.items() if "env_file" in service.document}
    without = {
        name for name in given if {key for key, value in _SERVICES[name].environment.items() if not value} == secrets
    }
    assert given - without == {"code-server"}
    assert secrets == {f"{PREFIX}{name.upper()}" for name, field in Settings.model_fields.items() if _is_secret(field)}


def test_a_process_holds_the_password_of_its_own_database_alone() -> None:
    held = {name: service.document.get("secrets", []) for name, service in _SERVICES.items()}
    assert held["mlflow"] == ["mlflow_database"]
    assert all(held[name] == ["dagster_database"] for name in ("code-server", "daemon", "webserver"))
    assert held["dashboard"] == held["sandbox"] == []


@services
def test_no_password_stands_in_a_command_or_in_the_environment(service: ComposeService) -> None:
    shown = [*service.command, *service.health_check, *map(str, service.environment.values())]
    assert not [text for text in shown if re.search(r"://[^/?]*:[^/?]*@", text)]
    named = {name: value for name, value in service.environment.items() if re.search("PASSWORD|SECRET|KEY|TOKEN", name)}
    assert all(name.endswith("_FILE") or not value for name, value in named.items())


def test_there_is_one_daemon_and_one_code_server_on_one_volume() -> None:
    commands = [service.command for service in _SERVICES.values()]
    assert len([command for command in commands if command[:2] == ("dagster-daemon", "run")]) == 1
    assert len([command for command in commands if command[:3] == ("dagster", "api", "grpc")]) == 1
    assert not [service for service in _SERVICES.values() if _replicas(service) != 1]
    [location] = yaml.safe_load((ROOT / "deploy" / "workspace.yaml").read_text())["load_from"]
    command = _SERVICES["code-server"].command
    assert location["grpc_server"]["host"] == "code-server"
    assert str(location["grpc_server"]["port"]) == command[command.index("-p") + 1]


def test_the_dashboard_can_change_nothing() -> None:
    assert _SERVICES["dashboard"].document["volumes"] == ["artifacts:/srv/artifacts:ro"]


def test_a_sandbox_is_on_the_loopback_of_the_process_that_trades_in_it() -> None:
    assert _SERVICES["sandbox"].document["network_mode"] == "service:code-server"


def test_the_proxy_asks_for_a_password_before_it_answers_for_a_service() -> None:
    text = (ROOT / "deploy" / "proxy" / "nginx.conf").read_text()
    everywhere, *sites = re.split(r"\n  server \{", text)
    assert "auth_basic_user_file /run/secrets/proxy_users;" in everywhere
    shown = {re.search(r"listen ([\d.:]+)", site)[1]: site for site in sites}  # type: ignore[index]
    assert [port for port, site in shown.items() if "auth_basic off" in site] == ["127.0.0.1:8081"]
    inside = {port.split(":")[1] for port in _SERVICES[_PROXY].document["ports"]}
    assert inside == set(shown) - {"127.0.0.1:8081"}
    for service, port in re.findall(r"proxy_pass http://([a-z]+):(\d+);", text):
        assert port in _SERVICES[service].document["ports"][0].split(":")
    assert set(re.findall(r"/run/secrets/(\w+)", text)) == set(_SERVICES[_PROXY].document["secrets"])


def test_dagster_on_a_server_differs_from_dagster_at_home_in_its_stores_alone() -> None:
    at_home = yaml.safe_load((ROOT / "dagster.yaml").read_text())
    server = yaml.safe_load((ROOT / "deploy" / "dagster.yaml").read_text())
    stores = {name: server.pop(name) for name in ("storage", "local_artifact_storage", "compute_logs")}
    assert server == at_home
    assert stores["storage"] == {"postgres": {"postgres_url": "postgresql+psycopg2:///?service=dagster"}}


def _is_secret(field: FieldInfo) -> bool:
    return "SecretStr" in str(field.annotation)


def _replicas(service: ComposeService) -> int:
    deploy: dict[str, Any] = service.document.get("deploy", {})
    return int(deploy.get("replicas", service.document.get("scale", 1)))
