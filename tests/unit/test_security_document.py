"""docs/security.md names only tests that exist."""

import re
from pathlib import Path

from app.core.config import PROJECT_ROOT

TESTS = Path(__file__).parent.parent


def test_every_test_that_the_document_names_exists() -> None:
    document = (PROJECT_ROOT / "docs/security.md").read_text()
    named = set(re.findall(r"`(test_\w+)`", document))
    source = "\n".join(path.read_text() for path in TESTS.rglob("test_*.py"))
    defined = set(re.findall(r"def (test_\w+)\(", source))
    assert len(named) > 80
    assert not named - defined
