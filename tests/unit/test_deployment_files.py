"""Dockerfile, Compose, Kubernetes and systemd say what the product knows, and what is there."""

import fnmatch
import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # a part of uvicorn[standard] without types

from app.api import health
from app.core.config import PROJECT_ROOT, Settings

DEPLOY = PROJECT_ROOT / "deploy"
SETTINGS = {name.upper() for name in Settings.model_fields}
DOCKERFILE = (PROJECT_ROOT / "Dockerfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((PROJECT_ROOT / "docker-compose.yml").read_text())
KUBERNETES: list[dict[str, Any]] = list(
    yaml.safe_load_all((DEPLOY / "kubernetes" / "greenroom.yaml").read_text())
)
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
HEALTH = {str(getattr(route, "path", "")) for route in health.router.routes}
# What Python reads, not the product.
OF_PYTHON = {"PATH", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"}
OURS = {name: service for name, service in COMPOSE["services"].items() if "build" in service}


def instructions(name: str) -> list[list[str]]:
    lines = re.findall(rf"^{name} (.+)$", DOCKERFILE, re.MULTILINE)
    return [shlex.split(line) for line in lines]


def test_everything_that_is_copied_is_there_and_reaches_the_builder() -> None:
    rules = (PROJECT_ROOT / ".dockerignore").read_text().splitlines()
    let_in = {rule.removeprefix("!") for rule in rules if rule.startswith("!")}
    copied = {
        source
        for *sources, _ in instructions("COPY")
        for source in sources
        if "--from" not in source
    }
    copied -= {"/opt/greenroom", "/srv/greenroom"}  # from the first stage
    assert {source for source in copied if not (PROJECT_ROOT / source).exists()} == set()
    assert copied == let_in


def test_image_leaves_nothing_out_that_the_product_reads() -> None:
    copied = {source for *sources, _ in instructions("COPY") for source in sources}
    read = {"app", "alembic", "templates", "static", "docs", "locale", "pyproject.toml"}
    assert {name for name in read if (PROJECT_ROOT / name).exists()} <= copied


def test_image_runs_as_nobody_special_and_installs_by_hash() -> None:
    user = DOCKERFILE.rindex("\nUSER ")
    assert instructions("USER") == [["10001:10001"]]
    assert user > DOCKERFILE.rindex("\nRUN ")
    installs = [line for line in DOCKERFILE.splitlines() if "pip install" in line]
    assert installs
    assert all("--require-hashes" in line for line in installs)
    assert not re.search(r"index-url|find-links|https?://(?!127\.0\.0\.1)", DOCKERFILE)


def test_image_fetches_nothing_but_packages_and_keeps_no_tools_of_its_building() -> None:
    used = set(re.findall(r"^([A-Z]+) ", DOCKERFILE, re.MULTILINE))
    known = {"FROM", "RUN", "COPY", "WORKDIR", "ENV", "USER", "EXPOSE", "STOPSIGNAL"}
    assert used == known | {"HEALTHCHECK", "CMD"}, "above all, no ADD"
    assert not re.search(r"\b(curl|wget|apt-get|git)\b", DOCKERFILE)
    final = DOCKERFILE[DOCKERFILE.rindex("\nFROM ") :]
    assert "pip" not in final


def test_image_sets_nothing_that_the_product_does_not_know() -> None:
    final = DOCKERFILE[DOCKERFILE.rindex("\nFROM ") :]
    given = {pair.partition("=")[0] for pair in re.findall(r"\b[A-Z_]+=\S+", final) if "=" in pair}
    assert given - OF_PYTHON <= SETTINGS


@pytest.mark.parametrize("name", sorted(OURS))
def test_compose_sets_nothing_that_the_product_does_not_know(name: str) -> None:
    assert set(OURS[name]["environment"]) <= SETTINGS


def values(environment: Mapping[str, str]) -> dict[str, str]:
    """As Compose would fill them in."""
    given = {"GREENROOM_HOST": "greenroom.example.com", "SECRET_KEY": "x" * 40}
    passwords = dict.fromkeys(("OWNER_PASSWORD", "APP_PASSWORD"), "secret")

    def fill(match: re.Match[str]) -> str:
        name, _, default = match[1].partition(":")
        return (given | passwords).get(name, default.removeprefix("-"))

    return {name: re.sub(r"\$\{([^}]+)\}", fill, value) for name, value in environment.items()}


@pytest.mark.parametrize("name", sorted(OURS))
def test_product_accepts_what_compose_sets(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in values(OURS[name]["environment"]).items():
        monkeypatch.setenv(variable, value)
    settings = Settings(_env_file=None)
    assert settings.is_production
    assert settings.secure_cookies


def test_compose_mounts_what_is_there_and_knows_the_proxy_it_trusts() -> None:
    for service in COMPOSE["services"].values():
        for volume in service.get("volumes", ()):
            source = volume.partition(":")[0]
            known = source in COMPOSE["volumes"] or (PROJECT_ROOT / source).is_file()
            assert known, source
    proxy = COMPOSE["services"]["proxy"]["networks"]["front"]["ipv4_address"]
    assert {service["environment"]["TRUSTED_PROXIES"] for service in OURS.values()} == {proxy}


def test_compose_waits_for_services_and_joins_networks_that_it_has() -> None:
    services, networks = COMPOSE["services"], set(COMPOSE["networks"])
    for name, service in services.items():
        assert set(service.get("networks", ())) <= networks, name
        for other, wanted in service.get("depends_on", {}).items():
            needs_check = wanted["condition"] == "service_healthy"
            assert other in services
            assert not needs_check or "healthcheck" in services[other], other


def test_compose_asks_for_what_the_manual_has_set() -> None:
    said = (PROJECT_ROOT / "docker-compose.yml").read_text()
    wanted = set(re.findall(r"\$\{([A-Z_]+):\?", said))
    page = (PROJECT_ROOT / "docs" / "deployment.md").read_text()
    assert wanted == set(re.findall(r"^([A-Z_]+)=\S+", page, re.MULTILINE))


def test_servers_that_compose_names_are_services_of_it() -> None:
    services = COMPOSE["services"]
    environment = OURS["migrate"]["environment"]
    urls = [environment[name] for name in ("DATABASE_URL", "MIGRATION_DATABASE_URL", "REDIS_URL")]
    hosts = {
        re.split(r"[@/:]+", url.rpartition("@")[2].removeprefix("redis://"))[0] for url in urls
    }
    assert hosts == {"postgres", "redis"}
    assert hosts <= services.keys()
    [published] = [service["ports"] for service in services.values() if "ports" in service]
    assert published == ["80:80", "443:443", "443:443/udp"], "nothing but the proxy is reached"


def grace_s(text: str) -> int:
    return int(re.sub(r"\D", "", text))


def test_nobody_is_killed_before_it_could_have_ended() -> None:
    settings = Settings(_env_file=None, shutdown_drain_s=5)
    web_s = settings.drain_s + settings.shutdown_wait_s
    pods = {
        document["metadata"]["name"]: document["spec"]["template"]["spec"]
        for document in KUBERNETES
        if document["kind"] == "Deployment"
    }
    units = {unit.name: unit.read_text() for unit in UNITS}
    assert pods["greenroom-web"]["terminationGracePeriodSeconds"] > web_s + 10
    assert grace_s(COMPOSE["services"]["web-1"]["stop_grace_period"]) > web_s + 10
    assert grace_s(stop_of(units["greenroom-web@.service"])) > web_s + 10
    worker_s = settings.worker_patience_s
    assert pods["greenroom-worker"]["terminationGracePeriodSeconds"] > worker_s + 10
    assert grace_s(COMPOSE["services"]["worker"]["stop_grace_period"]) > worker_s + 10
    assert grace_s(stop_of(units["greenroom-worker.service"])) > worker_s + 10


def stop_of(unit: str) -> str:
    return next(line for line in unit.splitlines() if line.startswith("TimeoutStopSec="))


def containers() -> Iterator[dict[str, Any]]:
    for document in KUBERNETES:
        template = document.get("spec", {}).get("template") or {}
        yield from template.get("spec", {}).get("containers", ())


def test_kubernetes_sets_nothing_that_the_product_does_not_know() -> None:
    for document in KUBERNETES:
        if document["kind"] == "ConfigMap":
            assert set(document["data"]) <= SETTINGS
    given = {entry["name"] for container in containers() for entry in container.get("env", ())}
    assert given <= SETTINGS
    probed = {
        probe["httpGet"]["path"]
        for container in containers()
        for name, probe in container.items()
        if fnmatch.fnmatch(name, "*Probe")
    }
    assert probed == {"/health/live", "/health/ready"}
    assert probed <= HEALTH


def test_kubernetes_gives_no_rights_and_writes_nowhere_but_where_it_may() -> None:
    for document in KUBERNETES:
        pod = document.get("spec", {}).get("template", {}).get("spec")
        if pod is None:
            continue
        who = pod["securityContext"]
        assert who["runAsNonRoot"]
        assert f"{who['runAsUser']}:{who['runAsGroup']}" == instructions("USER")[0][0]
        assert not pod["automountServiceAccountToken"]
        mounted = {volume["name"] for volume in pod["volumes"]}
        for container in pod["containers"]:
            rights = container["securityContext"]
            assert rights["readOnlyRootFilesystem"]
            assert not rights["allowPrivilegeEscalation"]
            assert rights["capabilities"] == {"drop": ["ALL"]}
            assert {mount["name"] for mount in container["volumeMounts"]} <= mounted


def test_kubernetes_refers_to_what_it_has() -> None:
    said = (DEPLOY / "kubernetes" / "greenroom.yaml").read_text()
    [secret] = re.findall(r"create secret generic (\w+)", said)
    assert set(re.findall(r"--from-literal=([A-Z_]+)", said)) <= SETTINGS
    [config] = [each["metadata"]["name"] for each in KUBERNETES if each["kind"] == "ConfigMap"]
    for container in containers():
        sources = [next(iter(source.values()))["name"] for source in container["envFrom"]]
        assert sources == [config, secret]
    labels = [
        each["spec"]["template"]["metadata"]["labels"]
        for each in KUBERNETES
        if each["kind"] == "Deployment"
    ]
    [service] = [each["spec"] for each in KUBERNETES if each["kind"] == "Service"]
    assert service["selector"] in labels
    ports = {port["name"] for container in containers() for port in container.get("ports", ())}
    assert {port["targetPort"] for port in service["ports"]} <= ports


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_units_give_no_rights_and_set_what_the_product_knows(path: Path) -> None:
    unit = path.read_text()
    for rule in ("NoNewPrivileges=yes", "ProtectSystem=strict", "CapabilityBoundingSet=", "User="):
        assert f"\n{rule}" in unit
    given = re.findall(r"^Environment=([A-Z_]+)=", unit, re.MULTILINE)
    assert set(given) <= SETTINGS
