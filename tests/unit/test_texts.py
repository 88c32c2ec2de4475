"""Texts in several languages: which is spoken, and how templates and constants follow it."""

import json
from collections.abc import Iterator
from copy import copy
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo

from app.core.templating import Templates
from app.core.texts import (
    Catalogue,
    Lazy,
    _,
    best_language,
    catalogues,
    lazy,
    ngettext,
    read_catalogues,
    speak,
    spoken,
)
from tests.pseudo import TAG, Pseudo

KNOWN = frozenset({"Paused", "At 100 %%", "Hello <b>%(name)s</b>"})


@pytest.fixture
def pseudo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A second language beside English, spoken from here on."""
    monkeypatch.setitem(catalogues(), TAG, Catalogue(TAG, "Pseudo", "ltr", Pseudo(KNOWN)))
    speak(TAG)
    yield
    speak("en")


def test_catalogue_is_found_in_its_folder(tmp_path: Path) -> None:
    german = Catalog(locale="de")
    german.add("Save", "Sichern")
    german.add(("%(num)s run", "%(num)s runs"), ("%(num)s Lauf", "%(num)s Läufe"))
    file = tmp_path / "de" / "LC_MESSAGES" / "greenroom.mo"
    file.parent.mkdir(parents=True)
    with file.open("wb") as stream:
        write_mo(stream, german)

    found = read_catalogues(tmp_path)

    assert list(found) == ["en", "de"]
    assert (found["de"].name, found["de"].direction) == ("Deutsch", "ltr")
    assert found["de"].translations.gettext("Save") == "Sichern"
    assert found["de"].translations.ngettext("%(num)s run", "%(num)s runs", 2) == "%(num)s Läufe"


@pytest.mark.usefixtures("pseudo")
@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "en"),
        ("fr, de;q=0.5", "en"),
        ("en-xa", TAG),
        ("fr;q=0.9, en-XA;q=0.8, en;q=0.7", TAG),
        ("en, en-XA;q=0.9", "en"),
        ("en-XA;q=0, *", "en"),
        ("en-XA;q=nonsense, ;;;,", "en"),
    ],
)
def test_language_is_the_most_wanted_of_those_installed(accepted: str, language: str) -> None:
    assert best_language(accepted) == language


@pytest.mark.usefixtures("pseudo")
def test_language_that_is_not_installed_is_english() -> None:
    speak("tlh")

    assert spoken().tag == "en"


@pytest.mark.usefixtures("pseudo")
def test_constant_is_shown_translated_and_compared_in_english() -> None:
    label = lazy("Paused")

    assert label == "Paused"
    assert isinstance(label, Lazy)
    assert str(label) == f"{label}" == _("Paused") != "Paused"
    assert Templates().environment.from_string("{{ label }}").render(label=label) == _("Paused")


def test_count_has_its_own_form_and_its_thousands_apart() -> None:
    assert ngettext("%(num)s run", "%(num)s runs", 1) == "1 run"
    assert ngettext("%(num)s run", "%(num)s runs", 1200) == "1,200 runs"


@pytest.mark.usefixtures("pseudo")
def test_template_speaks_the_language_of_each_request(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(
        '<p title="{{ _("At 100 %%") }}">'
        "{% trans name=name %}Hello <b>{{ name }}</b>{% endtrans %}</p>"
    )
    templates = Templates(tmp_path)

    translated = templates.render("page.html", {"name": "<Ada>"})
    speak("en")
    english = templates.render("page.html", {"name": "<Ada>"})

    assert english == '<p title="At 100 %">Hello <b>&lt;Ada&gt;</b></p>'
    assert "Héll" in translated
    assert "<b>&lt;Ada&gt;</b>" in translated
    assert "Át 100 %" in translated


@pytest.mark.usefixtures("pseudo")
def test_error_of_a_service_is_shown_translated_and_sent_in_english() -> None:
    error = lazy("Hello <b>%(name)s</b>", name=lazy("Paused"))

    assert json.dumps({"message": error}) == '{"message": "Hello <b>Paused</b>"}'
    assert str(error) == _("Hello <b>%(name)s</b>", name=_("Paused"))
    assert str(copy(error)) == str(error)
