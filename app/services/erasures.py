"""Erasing a person: who they were goes from wherever it stands, what was done stays."""

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.config import Settings
from app.core.keys import key_id, key_ring
from app.core.permissions import Permission, Role
from app.core.texts import lazy
from app.exceptions import Conflict, Forbidden, Invalid
from app.models import AuditEvent, User
from app.models.base import JsonObject
from app.models.users import ERASED_DOMAIN
from app.services.audit_digests import SEAL_KEY, digest_of, erasure_signature, values_of
from app.services.audit_events import AuditEventService
from app.services.audit_seals import SEALING_LOCK, AuditSealService
from app.services.erasure_steps import (
    ADDRESS_FIELDS,
    ERASE_EVENTS,
    LISTED,
    NAME_FIELDS,
    SOME_EVENTS,
    STEPS,
    Fate,
)
from app.services.users import UserService

AT_ONCE = 500
# Around an e-mail or a name, so that anna@… is not found to be na@…; for Python and PostgreSQL.
BEGINS, ENDS = r"(?<![\w.+%-])", r"(?![\w-])"
# A longer domain is another address; what files that are imported end with is no domain.
FILE_ENDS = r"\.(?:csv|json|jsonl|ndjson)(?![\w-]|\.\w)"
DOMAIN_ENDS = rf"{ENDS}(?:(?={FILE_ENDS})|(?!\.\w))"
WRONG_CONFIRMATION = "Type the e-mail address of this person, exactly as it is shown."


@dataclass(frozen=True, slots=True)
class Erased:
    """So many things of a kind, and what becomes of them."""

    words: str
    count: int
    fate: Fate


@dataclass(frozen=True, slots=True)
class Identity:
    """Every e-mail and name that this person is known to have had."""

    user_id: int
    emails: Sequence[str]
    names: Sequence[str]

    @property
    def new_email(self) -> str:
        return f"erased-{self.user_id}{ERASED_DOMAIN}"

    @property
    def new_name(self) -> str:
        return f"Erased person {self.user_id}"

    @property
    def patterns(self) -> list[str]:
        """For ILIKE: where the e-mails may stand, or longer ones that end like them."""
        literal = [re.sub(r"([%_\\])", r"\\\1", email) for email in self.emails]
        return [f"%{email}%" for email in literal]

    @property
    def regex(self) -> str:
        """For PostgreSQL, over text and JSON: any of the e-mails, as a whole."""
        known = "|".join(re.sub(r"([^\w@])", r"\\\1", email) for email in self.emails)
        # JSON writes a line's end as a letter, which is no part of what follows it.
        return rf"(?:{BEGINS}|(?<=\\[bfnrt]))(?:{known}){DOMAIN_ENDS}"

    @property
    def parameters(self) -> dict[str, Any]:
        """Of the statements in ``erasure_steps``."""
        return {"id": self.user_id, "patterns": self.patterns, "regex": self.regex}

    @property
    def phrases(self) -> list[str]:
        """Names that are told from a text around them: of one word, most are words of it, too."""
        return [name for name in self.names if len(name.split()) > 1]

    def replaced(self, value: Any, *, is_about: bool = False) -> Any:  # any JSON value
        """The same without e-mails, however deep; of what ``is_about`` this person, also without
        names of several words.
        """
        match value:
            case str():
                told = replaced_in(value, self.emails, self.new_email, DOMAIN_ENDS)
                return replaced_in(told, self.phrases, self.new_name, ENDS) if is_about else told
            case dict():
                return {
                    self.replaced(key): self.replaced(each, is_about=is_about)
                    for key, each in value.items()
                }
            case list():
                return [self.replaced(each, is_about=is_about) for each in value]
            case _:
                return value

    def of_label(self, label: str | None, *, is_about: bool) -> str | None:
        """The text of a row: of this person's own, it may be the name alone."""
        return self.new_name if is_about and label in self.names else self.replaced(label)

    def of_changes(self, changes: JsonObject, *, is_about: bool) -> JsonObject:
        return {
            name: self._of_pair(name, pair, is_about=is_about) for name, pair in changes.items()
        }

    def _of_pair(self, name: str, pair: Any, is_about: bool) -> Any:
        if name in ADDRESS_FIELDS and isinstance(pair, list):
            return ["erased" if each else each for each in pair]
        if name in NAME_FIELDS and is_about and isinstance(pair, list):
            return [self.new_name if each else each for each in pair]
        return self.replaced(pair, is_about=is_about)


def replaced_in(text: str, known: Sequence[str], new: str, ends: str) -> str:
    for each in known:
        text = re.sub(rf"{BEGINS}{re.escape(each)}{ends}", new, text, flags=re.IGNORECASE)
    return text


class ErasureService:
    resource = "users"

    def __init__(self, session: AsyncSession, actor: Actor, settings: Settings) -> None:
        self.session = session
        self.actor = actor
        self.users = UserService(session, actor)
        self.audit = AuditEventService(session, actor)
        self._settings = settings

    async def person(self, user_id: int) -> User:
        """Also one in the trash. Raise ``NotFound``, or ``Conflict`` for one who is erased."""
        self.actor.require(Permission.USERS_MANAGE)
        user = await self.users.find(user_id)
        user = user or await self.users.get(user_id, trashed=True)
        if user.is_erased:
            raise Conflict(lazy("This person is erased already."))
        return user

    async def plan(self, user: User) -> list[Erased]:
        """What would be erased, removed and kept. Changes nothing."""
        await self.session.execute(text("SET LOCAL statement_timeout = 0"))
        who = await self._identity(user)
        found = [Erased(lazy("name, e-mail, password and second factor"), 1, Fate.REPLACED)]
        for words, fate, count in LISTED:
            rows = (await self.session.execute(text(count), who.parameters)).scalar_one()
            found.append(Erased(words, rows, fate))
        return [each for each in found if each.count]

    async def erase(self, user: User, confirmation: str) -> None:
        """All of it or nothing. Raise ``Invalid`` for a wrong confirmation, ``Forbidden`` for
        oneself, ``Conflict`` for the last superuser.
        """
        self.actor.require(Permission.USERS_MANAGE)
        if confirmation.strip().lower() != user.email.lower():
            raise Invalid(WRONG_CONFIRMATION, field="confirmation")
        if user.id == self.actor.user_id:
            raise Forbidden(lazy("You cannot erase yourself."))
        await self.session.execute(text("SET LOCAL statement_timeout = 0"))
        if user.deleted_at is None:
            await self.users.delete(user.id)
        who = await self._identity(user)
        await self._erase_in_audit(who)
        counts = await self._erase_rows(who)
        await self._erase_user(user, who)
        self.audit.record("erase", self.resource, user, counts)

    async def _identity(self, user: User) -> Identity:
        emails, names = {user.email}, {user.full_name} - {""}
        statement = select(AuditEvent.changes).where(
            AuditEvent.resource == self.resource, AuditEvent.resource_id == user.id
        )
        for changes in await self.session.scalars(statement):
            emails |= {each for each in changes.get("email", ()) if each}
            names |= {each for each in changes.get("full_name", ()) if each}
        return Identity(user.id, sorted(emails), sorted(names))

    async def _erase_user(self, user: User, who: Identity) -> None:
        """Without noting the old values, as every other change does."""
        user.email, user.full_name = who.new_email, who.new_name
        user.hashed_password = user.totp_secret = user.totp_confirmed_at = None
        user.totp_last_step = user.last_login_at = user.password_changed_at = None
        user.is_active, user.role, user.time_zone = False, Role.MEMBER, "UTC"
        user.language = None
        await self.session.flush()

    async def _erase_rows(self, who: Identity) -> dict[str, Any]:  # changes of an audit event
        counts: dict[str, Any] = {}
        asked = who.parameters | {"new": who.new_email}
        for words, fate, statement in STEPS:
            rows = (await self.session.execute(text(statement), asked)).all()
            if rows:
                counts[words] = [None, f"{len(rows)} {fate.value}"]
        return counts

    # The audit log

    async def _erase_in_audit(self, who: Identity) -> None:
        """What is not sealed yet is sealed first: nobody can say it was something else."""
        await self.session.execute(select(func.pg_advisory_xact_lock(SEALING_LOCK)))
        await self.session.flush()  # the events of this change are erased, too
        await AuditSealService(self.session, self._settings).seal()
        async for events in self._events(who):
            erased = [told for event in events if (told := self._erased(event, who))]
            if erased:
                await self.session.execute(ERASE_EVENTS, {"events": erased})

    async def _events(self, who: Identity) -> AsyncIterator[list[AuditEvent]]:
        """By whom, about whom, or naming one of the e-mails: some at a time."""
        after = 0
        while True:
            statement = select(AuditEvent).from_statement(SOME_EVENTS)
            parameters = who.parameters | {"after": after, "at_once": AT_ONCE}
            events = list(await self.session.scalars(statement, parameters))
            if not events:
                return
            yield events
            after = events[-1].id
            for event in events:
                self.session.expunge(event)  # it has changed beneath, and there may be many

    def _erased(self, event: AuditEvent, who: Identity) -> JsonObject | None:
        before = values_of(event)
        is_about = (event.resource, event.resource_id) == (self.resource, who.user_id)
        after = before | {
            "label": who.of_label(event.label, is_about=is_about),
            "changes": who.of_changes(event.changes, is_about=is_about),
            "reason": who.replaced(event.reason, is_about=is_about),
            # Where others were when they did something to this person is theirs.
            "ip": event.ip if event.actor_user_id not in (None, who.user_id) else None,
        }
        if after == before:
            return None
        key = key_ring(self._settings, SEAL_KEY)[0]
        digest, erased = digest_of(before), digest_of(after)
        return {
            "id": event.id,
            **{name: after[name] for name in ("label", "changes", "reason", "ip")},
            "digest": digest.hex(),
            "erased_digest": erased.hex(),
            "signature": erasure_signature(key, event.id, digest, erased).hex(),
            "key_id": key_id(key),
        }
