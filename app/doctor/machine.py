"""What only a shell can see: the settings, this Python, the data folder, the port."""

import os
import resource
import socket
import stat
import sys
from collections.abc import Iterator

import httpx2
from pydantic import SecretStr, ValidationError

from app.core.config import Environment, Settings
from app.schemas.operations import State
from app.services.operations.findings import Finding, Outcome, judged, ok, unknown

SETTINGS, MACHINE = "Settings", "This machine"
OLDEST_PYTHON = (3, 11)
FEW_FILES = 4_096


def finding(key: str, group: str, name: str, outcome: Outcome) -> Finding:
    return Finding(
        key,
        group,
        name,
        outcome.state,
        outcome.figure,
        outcome.advice,
        "operations#doctor",
    )


def refused(error: ValidationError) -> Iterator[Finding]:
    """One finding a problem, named as the start would name it, without the value."""
    for number, item in enumerate(error.errors(include_input=False, include_url=False)):
        name = ".".join(map(str, item["loc"])).upper()
        text = item["msg"].removeprefix("Value error, ")
        for part, problem in enumerate(text.split("; ")):
            said = f"{name} {problem}".strip()
            outcome = judged(State.BAD, said, "See .env.example and the process's environment.")
            yield finding(f"settings_{number}_{part}", SETTINGS, "Refused", outcome)


def read_settings() -> tuple[Settings | None, list[Finding]]:
    """The settings to go on with, if there are any, and what is wrong with them."""
    try:
        settings = Settings()
    except ValidationError as error:
        problems = list(refused(error))
        try:
            # What only production refuses need not keep the other checks from being made.
            return with_kept_secret(Settings(environment=Environment.DEVELOPMENT)), problems
        except ValidationError:
            return None, problems
    return with_kept_secret(settings), [
        finding("settings", SETTINGS, "Settings", said_of(settings))
    ]


def said_of(settings: Settings) -> Outcome:
    if settings.is_production:
        return ok("production, nothing is refused")
    problems = settings.production_problems()
    advice = f"Production would refuse: {'; '.join(problems)}." if problems else ""
    return ok(settings.environment.value, advice)


def with_kept_secret(settings: Settings) -> Settings:
    """The secret that was made in the data folder; none is made here."""
    path = settings.secret_file
    if settings.secret_key.get_secret_value() or not os.access(path, os.R_OK):
        return settings
    return settings.model_copy(update={"secret_key": SecretStr(path.read_text().strip())})


def python() -> Outcome:
    version = ".".join(map(str, sys.version_info[:3]))
    state = State.OK if sys.version_info >= OLDEST_PYTHON else State.BAD
    return judged(state, version, "Greenroom needs Python 3.11 or newer.")


def files() -> Outcome:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if most == resource.RLIM_INFINITY:
        return ok("as many as wanted")
    state = State.OK if most >= FEW_FILES else State.WARN
    return judged(state, f"{most:,}", "Each open socket is one. Raise the limit (ulimit -Hn).")


def data_folder(settings: Settings) -> Outcome:
    folder, secret = settings.data_dir, settings.secret_file
    if not folder.exists():
        return unknown("not there yet", f"{folder} is made by the first start.")
    if os.access(secret, os.F_OK) and stat.S_IMODE(secret.stat().st_mode) & 0o077:
        return judged(State.BAD, "others can read the secret", f"Run: chmod 600 {secret}")
    if folder.is_dir() and os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        return ok(str(folder))
    if settings.database_url is not None and settings.secret_key.get_secret_value():
        # As in a container whose files cannot be written: nothing is kept there then.
        return unknown("cannot be written", "Nothing needs it, but a backup that has no name.")
    advice = f"Give {folder} to the user that Greenroom runs as."
    return judged(State.BAD, "cannot be read and written", advice)


def port(settings: Settings) -> Outcome:
    """Free, or held by a Greenroom."""
    host, number = settings.host, settings.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, number))
        except OSError as error:
            return said_of_taken_port(host, number, error)
    return ok(f"{host}:{number} is free")


def said_of_taken_port(host: str, number: int, error: OSError) -> Outcome:
    reachable = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104  (compared)
    try:
        address = f"http://{reachable}:{number}/health/live"
        answer = httpx2.get(address, timeout=3, trust_env=False)
        if answer.json() == {"status": "ok"}:
            return ok(f"Greenroom answers at {host}:{number}")
    except (httpx2.HTTPError, ValueError):
        pass
    said = (error.strerror or "not to be had").lower()
    advice = "Stop what holds it, or set another PORT or HOST."
    return judged(State.WARN, f"{host}:{number}: {said}", advice)


def machine_findings(settings: Settings) -> list[Finding]:
    return [
        finding("greenroom", MACHINE, "Greenroom", ok(settings.version)),
        finding("python", MACHINE, "Python", python()),
        finding("files", MACHINE, "Open files", files()),
        finding("data_folder", MACHINE, "Data folder", data_folder(settings)),
        finding("port", MACHINE, "Port", port(settings)),
    ]
