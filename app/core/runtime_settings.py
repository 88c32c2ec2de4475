"""Settings that superusers may change while everything runs, and how a process takes them up.

The environment gives the default of each; ``instance_settings`` holds what was changed. A process
reads it when it starts and whenever the database says that it changed, so that all of them agree
within moments, and a request looks nothing up.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from app.core.config import Settings
from app.core.texts import _, lazy, ngettext

Value: TypeAlias = int | str
# With a comma before each three digits or with none: 1,5 is none.
WHOLE_NUMBER = re.compile(r"-?(?:[0-9]+|[0-9]{1,3}(?:,[0-9]{3})+)")
LONGEST_NUMBER = 20

GENERAL, LOGINS = lazy("General"), lazy("Signing in")
LIMITS, KEPT = lazy("Limits of the JSON API"), lazy("Runs, and what is kept")


@dataclass(frozen=True, slots=True)
class RuntimeSetting:
    """One of them. ``key`` is the field of ``Settings`` that gives its default.

    Whole numbers have ``least`` and ``most``; texts have none, and are at most ``length`` long.
    """

    key: str
    group: str
    label: str
    description: str
    unit: str = ""
    least: int | None = None
    most: int | None = None
    length: int = 0
    is_long: bool = False
    may_be_empty: bool = False

    @property
    def variable(self) -> str:
        """The variable of the environment that it overrides."""
        return self.key.upper()

    @property
    def is_number(self) -> bool:
        return self.most is not None

    def parse(self, typed: str) -> Value:
        """What was typed, as a value. Raise ``ValueError`` in words for the user."""
        text = typed.replace("\r\n", "\n").strip()
        if self.is_number:
            if not WHOLE_NUMBER.fullmatch(text) or len(text) > LONGEST_NUMBER:
                raise ValueError(_("must be a whole number"))
            return self.checked(int(text.replace(",", "")))
        return self.checked(text)

    def checked(self, value: Value) -> Value:
        """The value. Raise ``ValueError`` for what is no value of this setting."""
        if isinstance(value, bool) or isinstance(value, int) is not self.is_number:
            raise ValueError(_("must be of another kind"))
        if isinstance(value, int):
            if not (self.least or 0) <= value <= (self.most or 0):
                bounds = {"least": f"{self.least:,}", "most": f"{self.most:,}"}
                raise ValueError(_("must be from %(least)s to %(most)s", **bounds))
            return value
        if not value and not self.may_be_empty:
            raise ValueError(_("is required"))
        if len(value) > self.length:
            raise ValueError(
                ngettext(
                    "must have at most %(num)s character",
                    "must have at most %(num)s characters",
                    self.length,
                )
            )
        allowed = {"\n"} if self.is_long else set()  # names stand in the heads of mails
        if any(not c.isprintable() for c in set(value) - allowed):
            raise ValueError(_("must not contain control characters"))
        return value

    def admits(self, value: object) -> bool:
        """Whether it is a value of this setting: another version may have stored another."""
        try:
            return isinstance(value, int | str) and self.checked(value) == value
        except ValueError:
            return False


def number(
    key: str, group: str, label: str, description: str, unit: str, bounds: tuple[int, int]
) -> RuntimeSetting:
    return RuntimeSetting(key, group, label, description, unit, *bounds)


MINUTES, HOURS, DAYS, A_MINUTE = lazy("minutes"), lazy("hours"), lazy("days"), lazy("a minute")
RUNTIME_SETTINGS: tuple[RuntimeSetting, ...] = (
    RuntimeSetting(
        "project_name",
        GENERAL,
        lazy("Name of this installation"),
        lazy("Where people sign in, in mails and in authenticator apps."),
        length=60,
    ),
    RuntimeSetting(
        "sign_in_message",
        GENERAL,
        lazy("Message at the sign-in"),
        lazy("Everybody who opens the sign-in page reads it: who may come in, whom to ask."),
        length=500,
        is_long=True,
        may_be_empty=True,
    ),
    number(
        "session_idle_minutes",
        LOGINS,
        lazy("Signed out when idle for"),
        lazy("Counts from the last request, for everybody who is signed in now, too."),
        MINUTES,
        (5, 1440),
    ),
    number(
        "session_absolute_hours",
        LOGINS,
        lazy("Signed out in any case after"),
        lazy("Counts from the sign-in; a shorter time holds for those who are in already."),
        HOURS,
        (1, 168),
    ),
    number(
        "reauthentication_minutes",
        LOGINS,
        lazy("Password asked for again after"),
        lazy("Before sensitive changes, such as this one."),
        MINUTES,
        (1, 240),
    ),
    number(
        "max_sessions_per_user",
        LOGINS,
        lazy("Sessions of one person"),
        lazy("One more ends the oldest."),
        lazy("at once"),
        (1, 100),
    ),
    number(
        "invitation_days",
        LOGINS,
        lazy("Invitations work for"),
        lazy("Those that are sent from now on."),
        DAYS,
        (1, 30),
    ),
    number(
        "password_reset_minutes",
        LOGINS,
        lazy("Links for a new password work for"),
        lazy("Those that are sent from now on."),
        MINUTES,
        (5, 1440),
    ),
    number(
        "rate_limit_read_per_minute",
        LIMITS,
        lazy("Reading"),
        lazy("Requests of one key or person."),
        A_MINUTE,
        (10, 1_000_000),
    ),
    number(
        "rate_limit_write_per_minute",
        LIMITS,
        lazy("Changing"),
        lazy("Requests of one key or person."),
        A_MINUTE,
        (10, 1_000_000),
    ),
    number(
        "rate_limit_report_per_minute",
        LIMITS,
        lazy("Reporting runs"),
        lazy("Requests of one key or person; each may report many runs."),
        A_MINUTE,
        (10, 1_000_000),
    ),
    number(
        "rate_limit_export_per_minute",
        LIMITS,
        lazy("Exports of lists"),
        lazy("Of one person, on pages too."),
        A_MINUTE,
        (1, 1_000),
    ),
    number(
        "execution_stalled_minutes",
        KEPT,
        lazy("Runs stall after"),
        lazy("An open run that was not heard of for so long is marked, until it is again."),
        MINUTES,
        (5, 10_080),
    ),
    number(
        "jobs_kept_days",
        KEPT,
        lazy("Jobs that have ended are kept for"),
        lazy("With their results and errors; what is older is removed within the day."),
        DAYS,
        (1, 3_650),
    ),
    number(
        "bulk_changes_kept_days",
        KEPT,
        lazy("Bulk changes are kept for"),
        lazy("For so long they can be undone; what is older is removed within the day."),
        DAYS,
        (1, 3_650),
    ),
    number(
        "webhook_deliveries_kept_days",
        KEPT,
        lazy("Deliveries of webhooks are kept for"),
        lazy("What is older is removed within the day."),
        DAYS,
        (1, 3_650),
    ),
    number(
        "ingest_batches_kept_days",
        KEPT,
        lazy("Receipts of OpenTelemetry are kept for"),
        lazy("With the spans that were refused; what is older is removed within the day."),
        DAYS,
        (1, 365),
    ),
)


class LiveSettings:
    """One process's settings: ``settings`` itself takes up what is changed, whoever holds it."""

    def __init__(
        self, settings: Settings, known: Iterable[RuntimeSetting] = RUNTIME_SETTINGS
    ) -> None:
        self.settings = settings
        self.known = {setting.key: setting for setting in known}
        self._defaults: dict[str, Value] = {key: getattr(settings, key) for key in self.known}
        self._version = 0

    def default(self, key: str) -> Value:
        """What the environment says, or the class."""
        return self._defaults[key]

    def value(self, key: str, overrides: Mapping[str, object]) -> Value:
        """Of a setting, under these changes; what is no value of it counts for nothing."""
        changed = overrides.get(key)
        if isinstance(changed, int | str) and self.known[key].admits(changed):
            return changed
        return self._defaults[key]

    def take_up(self, version: int, overrides: Mapping[str, object]) -> None:
        """From here on these hold in this process; an older version changes nothing."""
        if version < self._version:
            return
        self._version = version
        for key in self.known:
            setattr(self.settings, key, self.value(key, overrides))
