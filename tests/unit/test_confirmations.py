"""What cannot be undone asks for a name to be typed, or at least asks."""

import re
from pathlib import Path

import pytest

from app.core.templating import TEMPLATES

FORM = re.compile(r"<form\b(?:[^>\"]|\"(?:[^\"{]|\{\{.*?\}\}|\{%.*?%\})*\")*>", re.DOTALL)
TYPED = ("/revoke", "/remove-second-factor")
ASKED = (
    *("/disable", "/end-sessions", "/second-factor/remove", "/second-factor/codes"),
    *("/executions/{{ run.id }}/cancel", "/feedback/{{ item.id }}/delete"),
)
FORMS = [
    (path.relative_to(TEMPLATES), form)
    for path in sorted(Path(TEMPLATES).rglob("*.html"))
    for form in FORM.findall(path.read_text())
]


def forms_to(ending: str) -> list[tuple[Path, str]]:
    found = [(path, form) for path, form in FORMS if f'{ending}"' in form]
    assert found, ending
    return found


@pytest.mark.parametrize("ending", TYPED)
def test_what_cannot_be_undone_is_confirmed_by_a_name(ending: str) -> None:
    for path, form in forms_to(ending):
        assert "data-confirm=" in form, path
        assert "data-confirm-type=" in form, path


@pytest.mark.parametrize("ending", ASKED)
def test_what_is_hard_to_make_good_asks_first(ending: str) -> None:
    for path, form in forms_to(ending):
        assert re.search(r"(data|hx)-confirm=", form), path
