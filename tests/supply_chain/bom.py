"""The software bill of materials: CycloneDX 1.6, the same bytes for the same sources.

``python -m tests.supply_chain.bom FILE`` writes it; see https://cyclonedx.org/docs/1.6/json/. Its
time is ``SOURCE_DATE_EPOCH`` (seconds since 1970; https://reproducible-builds.org).
"""

import base64
import os
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import License
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from app.core.config import PROJECT_ROOT, Settings
from tests.supply_chain.parts import Pin, Vendored, pins, vendored

VERSION: str = Settings.model_fields["version"].default


def licences(name: str | None) -> list[License]:
    return [LicenseFactory().make_from_string(name)] if name else []


def of_package(pin: Pin) -> Component:
    url = PackageURL("pypi", name=pin.name, version=pin.version)
    return Component(
        name=pin.name,
        version=pin.version,
        type=ComponentType.LIBRARY,
        bom_ref=str(url),
        purl=url,
        licenses=licences(pin.licence),
    )


def of_file(path: str, integrity: str) -> Component:
    digest = base64.b64decode(integrity.removeprefix("sha384-")).hex()
    return Component(
        name=f"static/vendor/{path}",
        type=ComponentType.FILE,
        bom_ref=f"static/vendor/{path}",
        hashes=[HashType(alg=HashAlgorithm.SHA_384, content=digest)],
    )


def of_vendored(part: Vendored) -> Component:
    url = PackageURL.from_string(f"pkg:npm/{part.name.replace('@', '%40')}@{part.version}")
    return Component(
        name=part.name,
        version=part.version,
        type=ComponentType.LIBRARY,
        bom_ref=str(url),
        purl=url,
        licenses=licences(part.licence),
        components=[of_file(path, integrity) for path, integrity in part.files.items()],
    )


def bill(packages: Iterable[Pin], files: Iterable[Vendored], made_at: datetime) -> str:
    """JSON, without a random number and a time of its own: two builds can be compared."""
    itself = Component(
        name="greenroom",
        version=VERSION,
        type=ComponentType.APPLICATION,
        bom_ref="greenroom",
        licenses=licences("MIT"),
    )
    bom = Bom(components=[*map(of_package, packages), *map(of_vendored, files)])
    bom.metadata.component = itself
    bom.metadata.timestamp = made_at
    bom.serial_number = uuid5(NAMESPACE_URL, f"greenroom@{VERSION}")
    bom.register_dependency(itself, bom.components)
    written = JsonV1Dot6(bom)
    written.generate()
    return written.output_as_string(indent=2)


def main(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    made_at = datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH", "0")), UTC)
    file.write_text(bill(pins(PROJECT_ROOT / "requirements.txt"), vendored(), made_at) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
