"""What is installed and served is what was chosen, on terms that allow it."""

import re
import tomllib
from datetime import UTC, datetime
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.requirements import Requirement

from app.core.config import PROJECT_ROOT
from tests.supply_chain.bom import bill
from tests.supply_chain.icons import NAMED, RULE, STYLES, code, vendored_folder
from tests.supply_chain.parts import VENDOR, checksum, pins, vendored

RUN, DEV = PROJECT_ROOT / "requirements.txt", PROJECT_ROOT / "requirements-dev.txt"
PERMISSIVE = re.compile(
    r"MIT|BSD|Apache|ISC|PSF|Python Software Foundation|MPL|Mozilla|Unlicense", re.IGNORECASE
)
# Needed on other machines only, so not here to be asked.
ELSEWHERE = {"async-timeout", "colorama", "httpx2-jsfetch"}


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    declared = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text())
    described: dict[str, Any] = declared["project"]
    return described


@pytest.mark.parametrize("file", [RUN, DEV], ids=lambda file: file.name)
def test_every_package_is_pinned_by_hash(file: Any) -> None:
    assert [pin.name for pin in pins(file) if not pin.hashes or pin.version == "None"] == []


def test_pins_are_what_the_project_asks_for(project: dict[str, Any]) -> None:
    chosen = {pin.name: pin.version for pin in pins(DEV)}
    asked = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    for each in map(Requirement, asked):
        assert each.specifier.contains(chosen[each.name.lower()], prereleases=True), each


def test_what_runs_is_tested_at_the_same_version() -> None:
    run, dev = set(pins(RUN)), set(pins(DEV))
    assert run <= dev


def test_no_file_names_where_packages_come_from() -> None:
    text = RUN.read_text() + DEV.read_text()
    assert "http" not in re.sub(r"^[a-z0-9-]*http.*==|# via.*|#   .*", "", text, flags=re.MULTILINE)


def test_every_package_may_be_used_in_any_company() -> None:
    named = {pin.name: pin.licence for pin in pins(RUN) if pin.name not in ELSEWHERE}
    assert {
        name: licence for name, licence in named.items() if not PERMISSIVE.search(licence or "")
    } == {}


def test_vendored_files_are_as_their_makers_published_them() -> None:
    listed = {path: integrity for part in vendored() for path, integrity in part.files.items()}
    present = {str(file.relative_to(VENDOR)) for file in VENDOR.rglob("*") if file.is_file()}
    assert present - {"VENDOR.json"} == set(listed)
    assert {path: checksum(VENDOR / path) for path in listed} == listed
    assert all(any(path.endswith("LICENSE") for path in part.files) for part in vendored())


def test_icons_that_the_code_names_are_in_the_font() -> None:
    known = {name for name, _ in RULE.findall((vendored_folder() / STYLES).read_text())}
    assert {name for text in code() for name in NAMED.findall(text)} <= known


def test_bill_of_materials_is_valid_and_the_same_each_time() -> None:
    made_at = datetime(2026, 1, 2, tzinfo=UTC)
    written = bill(pins(RUN), vendored(), made_at)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(written) is None
    assert written == bill(pins(RUN), vendored(), made_at)
    assert "pkg:pypi/fastapi@" in written
    assert "pkg:npm/htmx.org@" in written
