"""What scripts say, as pages in another language bring it along."""

from gettext import GNUTranslations
from io import BytesIO

import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo

from app.core.script_texts import messages, script_texts, texts_in
from app.core.texts import Catalogue

DAYS = ("%(num)s day ago", "%(num)s days ago")


@pytest.fixture
def polish() -> Catalogue:
    """Three forms: one, few, many."""
    catalog = Catalog(locale="pl")
    catalog.add(DAYS, ("%(num)s dzień temu", "%(num)s dni temu", "%(num)s dnia temu"))
    catalog.add("Copied", "Skopiowano")
    stream = BytesIO()
    write_mo(stream, catalog)
    stream.seek(0)
    return Catalogue("pl", "polski", "ltr", GNUTranslations(stream))


def test_texts_are_found_in_the_scripts() -> None:
    assert {"Copied", DAYS} <= messages()


def test_english_pages_bring_no_texts_for_scripts() -> None:
    assert script_texts() is None


def test_texts_come_translated_with_all_their_forms(polish: Catalogue) -> None:
    said = texts_in(polish)
    assert isinstance(said["texts"], dict)
    assert said["texts"]["Copied"] == "Skopiowano"
    assert said["texts"][DAYS[0]] == [
        "%(num)s dzień temu",
        "%(num)s dni temu",
        "%(num)s dnia temu",
    ]
    assert said["texts"]["Dismiss"] == "Dismiss", "what nobody translated is English"


@pytest.mark.parametrize(("count", "form"), [(1, "0"), (3, "1"), (5, "2"), (112, "2"), (103, "1")])
def test_every_count_has_its_form(polish: Catalogue, count: int, form: str) -> None:
    plurals = texts_in(polish)["plurals"]
    assert isinstance(plurals, str)
    assert plurals[count] == form
