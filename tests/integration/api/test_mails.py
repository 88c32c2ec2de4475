"""Mail through a real SMTP server: links arrive, failures are tried again and cost nothing."""

import email.message
import email.policy
import re
from collections.abc import Iterator
from datetime import timedelta

import httpx2
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from fastapi import FastAPI
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.api.idempotency import Once
from app.core.config import Settings, SmtpSecurity
from app.jobs.mails import NOTHING_TO_TELL
from app.models import AuditEvent, Job, JobStatus, User, UserToken
from app.services.jobs import JobService
from tests.conftest import actor_for
from tests.factories.clients import SAME_ORIGIN, log_in
from tests.jobs import work_off
from tests.server import free_port

API = "/api/v1"
INVITED = {"email": "ada@example.com", "full_name": "Ada & <b>Lovelace</b>", "role": "staff"}


class Inbox:
    """What the server took; it can refuse so many mails first."""

    def __init__(self) -> None:
        self.mails: list[email.message.EmailMessage] = []
        self.refusals = 0
        self.refusal = "451 try again later"

    async def handle_DATA(  # noqa: N802  (aiosmtpd's name)
        self, _: SMTP, __: Session, envelope: Envelope
    ) -> str:
        if self.refusals:
            self.refusals -= 1
            return self.refusal
        content = envelope.content or b""
        raw = content if isinstance(content, bytes) else content.encode()
        parsed = email.message_from_bytes(raw, policy=email.policy.default)
        assert isinstance(parsed, email.message.EmailMessage)
        self.mails.append(parsed)
        return "250 taken"


@pytest.fixture
def inbox(app: FastAPI, settings: Settings) -> Iterator[Inbox]:
    """The product with this inbox as its mail server."""
    inbox, port = Inbox(), free_port()
    server = Controller(inbox, hostname="127.0.0.1", port=port)
    server.start()
    app.state.settings = settings.model_copy(
        update={
            "smtp_host": "127.0.0.1",
            "smtp_port": port,
            "smtp_security": SmtpSecurity.NONE,
            "public_origin": "http://localhost",
        }
    )
    yield inbox
    server.stop()


async def newest_job(session: AsyncSession) -> Job:
    statement = select(Job).order_by(Job.id.desc()).limit(1)
    return (await session.scalars(statement.execution_options(populate_existing=True))).one()


def link_in(mail: email.message.EmailMessage) -> str:
    found = re.search(r"http://localhost(/password/set\?token=[\w-]{43})\s", mail.get_content())
    assert found is not None
    return found.group(1)


async def test_invitation_arrives_and_its_link_works(
    app: FastAPI,
    inbox: Inbox,
    client: httpx2.AsyncClient,
    session: AsyncSession,
    settings: Settings,
    superuser: User,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await log_in(client, session, settings, superuser)
    answer = await client.post(f"{API}/users", json=INVITED)
    assert (answer.json()["mail_sent"], answer.json()["link"]) == (True, None)
    await work_off(app)
    [mail] = inbox.mails
    assert (mail["To"], mail["Subject"]) == ("ada@example.com", "You are invited to Greenroom")
    assert mail["Date"]
    assert mail["Message-ID"]
    assert "Hello Ada & <b>Lovelace</b>," in mail.get_content(), "plain text is not escaped"
    path = link_in(mail)
    assert (await client.get(path)).status_code == 200
    assert path not in caplog.text
    assert "token=" not in (await client.post(f"/users/{answer.json()['id']}/link")).text


async def test_link_lies_readable_nowhere_until_it_is_sent(
    app: FastAPI,
    inbox: Inbox,
    client: httpx2.AsyncClient,
    session: AsyncSession,
    settings: Settings,
    superuser: User,
) -> None:
    await log_in(client, session, settings, superuser)
    await client.post(f"{API}/users", json=INVITED)
    job = await newest_job(session)
    stored = f"{job.params} {(job.sealed or b'').decode()}"
    logged = list(await session.scalars(select(AuditEvent.changes)))
    await work_off(app)
    token = link_in(inbox.mails[0]).partition("token=")[2]
    assert token not in stored
    assert token not in str(logged)
    assert (await newest_job(session)).sealed is None, "once it is sent nothing of it is kept"


async def test_mail_of_a_request_that_is_rolled_back_was_never_asked_for(
    app: FastAPI,
    inbox: Inbox,
    client: httpx2.AsyncClient,
    session: AsyncSession,
    settings: Settings,
    superuser: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await log_in(client, session, settings, superuser)

    async def fail(*_: object, **__: object) -> None:
        raise RuntimeError("after the mail was asked for")

    monkeypatch.setattr(Once, "keep", fail)
    assert (await client.post(f"{API}/users", json=INVITED)).status_code == 500
    await work_off(app)
    assert inbox.mails == []
    assert await session.scalar(select(func.count(Job.id))) == 0


async def test_reset_is_sent_to_the_account_only(
    app: FastAPI, inbox: Inbox, client: httpx2.AsyncClient, session: AsyncSession, staff: User
) -> None:
    client.headers.update(SAME_ORIGIN)
    for address in (staff.email.upper(), "nobody@example.com", f"{staff.email}\r\nBcc: x@y.zz"):
        await client.post("/password/forgot", data={"email": address})
    jobs = list(await session.scalars(select(Job)))
    assert len(jobs) == 3, "whether there is such an account is asked when it is sent"
    assert staff.email not in str([job.params for job in jobs])
    await work_off(app)
    [mail] = inbox.mails
    assert mail["To"] == staff.email
    assert (await client.get(link_in(mail))).status_code == 200


async def test_mail_that_is_refused_is_tried_again(
    app: FastAPI, inbox: Inbox, client: httpx2.AsyncClient, session: AsyncSession, staff: User
) -> None:
    inbox.refusals = 2
    client.headers.update(SAME_ORIGIN)
    answer = await client.post("/password/forgot", data={"email": staff.email})
    assert answer.status_code == 200
    await work_off(app)
    assert len(inbox.mails) == 1
    job = await newest_job(session)
    assert (job.status, job.attempts) == (JobStatus.SUCCEEDED, 3)


async def test_mail_that_is_refused_for_good_can_be_read_of_and_sent_later(
    app: FastAPI,
    inbox: Inbox,
    client: httpx2.AsyncClient,
    session: AsyncSession,
    settings: Settings,
    superuser: User,
) -> None:
    inbox.refusals, inbox.refusal = 1, "550 no such person here"
    await log_in(client, session, settings, superuser)
    await client.post(f"{API}/users", json=INVITED)
    await work_off(app)
    job = await newest_job(session)
    assert (job.status, job.attempts) == (JobStatus.FAILED, 1)
    assert job.error == "The mail server refused the mail (code 550)."
    await JobService(session, actor_for(superuser)).retry(job.id)
    await session.flush()
    await work_off(app)
    assert len(inbox.mails) == 1


async def test_link_that_is_over_is_not_sent(
    app: FastAPI,
    inbox: Inbox,
    client: httpx2.AsyncClient,
    session: AsyncSession,
    settings: Settings,
    superuser: User,
) -> None:
    await log_in(client, session, settings, superuser)
    await client.post(f"{API}/users", json=INVITED)
    over = update(UserToken).values(expires_at=func.now() - timedelta(minutes=1))
    await session.execute(over)
    await work_off(app)
    assert inbox.mails == []
    assert (await newest_job(session)).result == {"sent": False, "reason": NOTHING_TO_TELL}


async def test_server_that_is_not_there_fails_no_request(
    app: FastAPI,
    inbox: Inbox,
    client: httpx2.AsyncClient,
    session: AsyncSession,
    staff: User,
    caplog: pytest.LogCaptureFixture,
) -> None:
    app.state.settings = app.state.settings.model_copy(update={"smtp_port": free_port()})
    client.headers.update(SAME_ORIGIN)
    answer = await client.post("/password/forgot", data={"email": staff.email})
    assert answer.status_code == 200
    await work_off(app)
    assert inbox.mails == []
    job = await newest_job(session)
    assert (job.status, job.attempts) == (JobStatus.FAILED, 12)
    assert job.error == "The mail server cannot be reached."
    assert "mail not sent" in caplog.text
    assert staff.email not in caplog.text
