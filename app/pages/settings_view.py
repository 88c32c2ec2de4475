"""What the settings page shows: what may be changed here, and what the rest is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from app.core.config import Settings
from app.core.runtime_settings import LiveSettings, RuntimeSetting, Value
from app.core.secret_names import is_secret_field
from app.core.texts import _
from app.pages.conflicts import MergeField

WAS = "was."
ACCOUNTS_AND_PLACES = ("_username", "_dir")


@dataclass(frozen=True, slots=True)
class SettingField:
    """One setting as a control: its value and its default as text."""

    setting: RuntimeSetting
    value: str
    saved: str
    default: str
    error: str = ""

    @property
    def is_changed(self) -> bool:
        return self.saved != self.default


@dataclass(slots=True)
class Typed:
    """What was typed: by key its value, or what is wrong with it."""

    texts: dict[str, str] = field(default_factory=dict)
    values: dict[str, Value] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)


def read_typed(live: LiveSettings, posted: Mapping[str, Any]) -> Typed:
    """Only of the settings that were changed: what holds may be of other bounds."""
    typed = Typed()
    for key, setting in live.known.items():
        if key not in posted:
            continue
        text = typed.texts[key] = str(posted[key])
        if text == posted.get(WAS + key):
            continue
        default = live.default(key)
        try:
            typed.values[key] = default if text == str(default) else setting.parse(text)
        except ValueError as error:
            typed.errors[key] = str(error)
    return typed


def fields_of(
    live: LiveSettings, overrides: Mapping[str, object], typed: Typed | None = None
) -> dict[str, list[SettingField]]:
    """By group, in order."""
    groups: dict[str, list[SettingField]] = {}
    typed = typed or Typed()
    for key, setting in live.known.items():
        saved = str(live.value(key, overrides))
        shown = SettingField(
            setting,
            typed.texts.get(key, saved),
            saved,
            str(live.default(key)),
            typed.errors.get(key, ""),
        )
        groups.setdefault(str(setting.group), []).append(shown)
    return groups


def merge_of(
    live: LiveSettings, overrides: Mapping[str, object], posted: Mapping[str, Any], typed: Typed
) -> list[MergeField]:
    """Settings that are not the same on all three sides."""
    found = []
    for key, value in typed.values.items():
        was = str(posted.get(WAS + key, ""))
        saved, yours = str(live.value(key, overrides)), str(value)
        if not was == saved == yours:
            found.append(MergeField(key, str(live.known[key].label), was, saved, yours, []))
    return found


@dataclass(frozen=True, slots=True)
class Effective:
    """One variable of the environment as it holds; ``shown`` says no more of a secret than that."""

    variable: str
    shown: str
    is_default: bool


def effective(live: LiveSettings) -> list[Effective]:
    """All settings that only the environment sets."""
    given = live.settings
    return [
        Effective(name.upper(), shown_of(name, getattr(given, name)), is_default(given, name))
        for name in type(given).model_fields
        if name not in live.known
    ]


def is_default(settings: Settings, name: str) -> bool:
    default = type(settings).model_fields[name].get_default(call_default_factory=True)
    return bool(getattr(settings, name) == default)


def is_private(name: str) -> bool:
    return name.endswith(ACCOUNTS_AND_PLACES) or is_secret_field(name)


def shown_of(name: str, value: object) -> str:
    """Secrets, names of accounts, addresses with logins and paths only say whether they are set."""
    if value is None or value in ("", []):
        return _("not set")
    if isinstance(value, SecretStr):
        return _("set") if value.get_secret_value() else _("not set")
    if isinstance(value, list):
        return _("set") if isinstance(value[0], SecretStr) else ", ".join(map(str, value))
    if isinstance(value, Path) or is_private(name) or "@" in str(value):
        return _("set")
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
