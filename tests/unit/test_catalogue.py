"""What translators are given: all texts of code and templates, and well-formed ones."""

import tomllib
from enum import StrEnum
from typing import Any

import pytest
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir

from app.core.config import PROJECT_ROOT
from app.core.permissions import Role
from app.core.wording import VALUES
from app.models import JobKind, JobStatus, ListName
from app.models.executions import ExecutionStatus
from tests.pseudo import accented, forms_of, messages

# As the Makefile's; the others are gettext's own.
KEYWORDS = {**DEFAULT_KEYWORDS, "lazy": None, "mark": None, "lazy_count": (1, 2)}


def found() -> set[str]:
    """Every text in the code, read as ``make texts`` reads it."""
    project = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text())
    mappings = project["tool"]["babel"]["mappings"]
    methods = [(each["pattern"], each["method"]) for each in mappings]
    options = {each["pattern"]: each for each in mappings}
    texts: set[str] = set()
    for folder in ("app", "static", "templates"):
        of_folder = [(p.removeprefix(f"{folder}/"), m) for p, m in methods if p.startswith(folder)]
        chosen = {p.removeprefix(f"{folder}/"): o for p, o in options.items()}
        for _, _, message, _, _ in extract_from_dir(
            PROJECT_ROOT / folder, of_folder, chosen, keywords=KEYWORDS
        ):
            texts.update(forms_of(message))
    return texts


class Asked(dict[str, Any]):
    """A value for every placeholder, and which were asked for."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.text = form % self

    def __missing__(self, name: str) -> int:
        self.names.add(name)
        return 1


def test_template_of_catalogues_has_every_text_and_no_other() -> None:
    stored = {form for message in messages() if message.id for form in forms_of(message.id)}

    assert stored == found(), "Run: make texts"


def test_every_text_is_a_format_string_that_asks_for_the_same_in_all_its_forms() -> None:
    for message in messages():
        asked = [Asked(form).names for form in forms_of(message.id)]
        assert asked[0] <= asked[-1], message.id
        made_up = [Asked(accented(form)).names for form in forms_of(message.id)]
        assert made_up == asked, "the made-up language keeps its places"


@pytest.mark.parametrize("kind", [JobKind, JobStatus, ListName, ExecutionStatus, Role])
def test_stored_values_that_pages_show_are_given_too(kind: type[StrEnum]) -> None:
    assert {value.replace("_", " ").capitalize() for value in kind} <= VALUES
