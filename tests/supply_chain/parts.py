"""The packages that are pinned and the files that are vendored."""

import base64
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import Any

from pip_requirements_parser import RequirementsFile

from app.core.config import PROJECT_ROOT

VENDOR = PROJECT_ROOT / "static" / "vendor"
LONGEST_NAME = 40  # a longer "License" is the licence's text, not its name


@dataclass(frozen=True)
class Pin:
    """One package at one version: ``hashes`` are SHA-256 in hex, of its files for any platform."""

    name: str
    version: str
    hashes: tuple[str, ...]

    @property
    def licence(self) -> str | None:
        """As the package itself names it; ``None`` where it is not installed or does not say."""
        try:
            said = metadata(self.name)
        except PackageNotFoundError:
            return None
        classifiers = said.get_all("Classifier") or []
        names = [each.rpartition(" :: ")[2] for each in classifiers if each.startswith("License")]
        for licence in (said["License-Expression"], said["License"], *names):
            if licence and len(licence) <= LONGEST_NAME:
                return str(licence)
        return None


@dataclass(frozen=True)
class Vendored:
    """A package of which some files are served by us; ``files`` by path, SHA-384 in base64."""

    name: str
    version: str
    licence: str
    files: dict[str, str]


def pins(file: Path) -> Iterator[Pin]:
    for each in RequirementsFile.from_file(str(file)).requirements:
        hashes = sorted(option.removeprefix("sha256:") for option in each.hash_options)
        yield Pin(each.name, str(each.get_pinned_version), tuple(hashes))


def vendored() -> list[Vendored]:
    listed: list[dict[str, Any]] = json.loads((VENDOR / "VENDOR.json").read_text())
    return [
        Vendored(each["name"], each["version"], each["license"], each["files"]) for each in listed
    ]


def checksum(file: Path) -> str:
    """Written as browsers want it in an ``integrity`` attribute."""
    digest = hashlib.sha384(file.read_bytes()).digest()
    return f"sha384-{base64.b64encode(digest).decode()}"
