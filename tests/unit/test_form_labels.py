"""What a form says is wrong is named as the form calls the field."""

import re

import pytest

from app.core.templating import TEMPLATES
from app.pages.forms import LABELS

PAGES = "\n".join(path.read_text() for path in sorted((TEMPLATES / "pages").rglob("*.html")))


@pytest.mark.parametrize(("name", "label"), LABELS.items())
def test_label_is_the_one_on_the_page(name: str, label: str) -> None:
    field = re.compile(rf'_(?:field|list)\("{name}", _\("([^"]+)"\)')
    assert label in field.findall(PAGES)
