"""What nginx and Caddy are told holds together, and nginx itself takes its files."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]  # a part of uvicorn[standard] without types

from app.api import health
from app.api.v1 import rooms
from app.core.config import PROJECT_ROOT, Settings
from tests.server import free_port

NGINX = PROJECT_ROOT / "deploy" / "nginx"
CADDY = (PROJECT_ROOT / "deploy" / "caddy" / "Caddyfile").read_text()
SETTINGS = Settings(_env_file=None, shutdown_drain_s=5)
CERTIFICATE = (
    *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
    *("-nodes", "-days", "1", "-subj", "/CN=greenroom.example.com"),
)
WHOLE = "pid {folder}/pid;\nevents {{}}\nhttp {{\naccess_log off;\n{places}\n{said}\n}}\n"
WAITING = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def seconds(name: str, text: str) -> float:
    [found] = re.findall(rf"^\s*{name} (\d+)s;?$", text, re.MULTILINE)
    return float(found)


def nginx_conf(folder: Path) -> Path:
    """The file of deploy/nginx, with a certificate, and ports that are free."""
    pair = {"privkey.pem": "-keyout", "fullchain.pem": "-out"}
    made = [word for name, option in pair.items() for word in (option, str(folder / name))]
    subprocess.run([*CERTIFICATE, *made], check=True, capture_output=True)
    said = (NGINX / "greenroom.conf").read_text()
    for given, here in (
        ("/etc/ssl/greenroom", str(folder)),
        ("/etc/nginx/greenroom", str(NGINX)),
        ("listen 80;", f"listen 127.0.0.1:{free_port()};"),
        ("listen 443 ", f"listen 127.0.0.1:{free_port()} "),
    ):
        assert given in said
        said = said.replace(given, here)
    conf = folder / "nginx.conf"
    places = "\n".join(f"{kind}_temp_path {folder}/{kind};" for kind in WAITING)
    conf.write_text(WHOLE.format(folder=folder, places=places, said=said))
    return conf


@pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not here")
def test_nginx_takes_its_files(tmp_path: Path) -> None:
    command = ["nginx", "-t", "-q", "-e", f"{tmp_path}/errors", "-c", str(nginx_conf(tmp_path))]
    asked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (asked.returncode, asked.stderr) == (0, "")


def test_nginx_sends_on_what_the_product_reads_and_no_more_than_it_takes() -> None:
    said = (NGINX / "proxy.conf").read_text()
    sent = set(re.findall(r"^proxy_set_header (\S+)", said, re.MULTILINE))
    assert {"Host", "X-Forwarded-For", "X-Forwarded-Proto", "Upgrade", "Connection"} == sent
    [most] = re.findall(r"^client_max_body_size (\d+)m;$", said, re.MULTILINE)
    assert int(most) * 1024 * 1024 == SETTINGS.otlp_max_body_bytes
    [path] = re.findall(r"^location (/api/\S+)", said, re.MULTILINE)
    routes = [str(getattr(route, "path", "")) for route in rooms.router.routes]
    assert all(f"{SETTINGS.api_v1_prefix}{route}".startswith(path) for route in routes)


def test_proxies_end_idle_connections_before_the_product_does() -> None:
    nginx = seconds("keepalive_timeout", (NGINX / "greenroom.conf").read_text())
    caddy = seconds("keepalive", CADDY)
    assert max(nginx, caddy) < min(SETTINGS.keep_alive_s, SETTINGS.drain_s)


def test_caddy_asks_the_services_of_compose_whether_they_are_ready() -> None:
    compose = yaml.safe_load((PROJECT_ROOT / "docker-compose.yml").read_text())
    [upstreams] = re.findall(r"^\treverse_proxy (.+) \{$", CADDY, re.MULTILINE)
    web = [name for name in compose["services"] if name.startswith("web-")]
    dockerfile = (PROJECT_ROOT / "Dockerfile").read_text()
    [port] = re.findall(r"^EXPOSE (\d+)$", dockerfile, re.MULTILINE)
    assert upstreams.split() == [f"{name}:{port}" for name in web]
    [asked] = re.findall(r"^\t\thealth_uri (\S+)$", CADDY, re.MULTILINE)
    assert asked in {str(getattr(route, "path", "")) for route in health.router.routes}
    assert CADDY.count("{") == CADDY.count("}")
    assert set(re.findall(r"\{\$([A-Z_]+)\}", CADDY)) <= set(
        compose["services"]["proxy"]["environment"]
    )
