"""Mail through a real SMTP server: links arrive, failures are tried again and cost nothing."""

import asyncio
import email.message
import email.policy
import re
from collections.abc import Iterator

import httpx2
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncSession

from app.api import mails
from app.core.config import Settings, SmtpSecurity
from app.models import User
from tests.factories.clients import SAME_ORIGIN, log_in
from tests.server import free_port


class Inbox:
    """What the server took; it can refuse so many mails first."""

    def __init__(self) -> None:
        self.mails: list[email.message.EmailMessage] = []
        self.refusals = 0

    async def handle_DATA(  # noqa: N802  (aiosmtpd's name)
        self, _: SMTP, __: Session, envelope: Envelope
    ) -> str:
        if self.refusals:
            self.refusals -= 1
            return "451 try again later"
        content = envelope.content or b""
        raw = content if isinstance(content, bytes) else content.encode()
        parsed = email.message_from_bytes(raw, policy=email.policy.default)
        assert isinstance(parsed, email.message.EmailMessage)
        self.mails.append(parsed)
        return "250 taken"


@pytest.fixture
def inbox(app: FastAPI, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Inbox]:
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
    monkeypatch.setattr(mails, "RETRY_AFTER_S", (0.01, 0.01))
    yield inbox
    server.stop()


async def sent(app: FastAPI) -> None:
    """Wait until every mail is on its way or given up."""
    await asyncio.gather(*app.state.background_tasks)


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
    body = {"email": "ada@example.com", "full_name": "Ada & <b>Lovelace</b>", "role": "staff"}
    answer = await client.post("/api/v1/users", json=body)
    assert (answer.json()["mail_sent"], answer.json()["link"]) == (True, None)
    await sent(app)
    [mail] = inbox.mails
    assert (mail["To"], mail["Subject"]) == ("ada@example.com", "You are invited to Greenroom")
    assert "Hello Ada & <b>Lovelace</b>," in mail.get_content(), "plain text is not escaped"
    path = link_in(mail)
    assert (await client.get(path)).status_code == 200
    assert path not in caplog.text
    assert "token=" not in (await client.post(f"/users/{answer.json()['id']}/link")).text


async def test_reset_is_sent_to_the_account_only(
    app: FastAPI, inbox: Inbox, client: httpx2.AsyncClient, staff: User
) -> None:
    client.headers.update(SAME_ORIGIN)
    for address in (staff.email.upper(), "nobody@example.com", f"{staff.email}\r\nBcc: x@y.zz"):
        await client.post("/password/forgot", data={"email": address})
    await sent(app)
    [mail] = inbox.mails
    assert mail["To"] == staff.email


async def test_mail_that_is_refused_is_tried_again(
    app: FastAPI, inbox: Inbox, client: httpx2.AsyncClient, staff: User
) -> None:
    inbox.refusals = 2
    client.headers.update(SAME_ORIGIN)
    answer = await client.post("/password/forgot", data={"email": staff.email})
    assert answer.status_code == 200
    await sent(app)
    assert len(inbox.mails) == 1


async def test_server_that_is_not_there_fails_no_request(
    app: FastAPI,
    inbox: Inbox,
    client: httpx2.AsyncClient,
    staff: User,
    caplog: pytest.LogCaptureFixture,
) -> None:
    app.state.settings = app.state.settings.model_copy(update={"smtp_port": free_port()})
    client.headers.update(SAME_ORIGIN)
    answer = await client.post("/password/forgot", data={"email": staff.email})
    assert answer.status_code == 200
    await sent(app)
    assert inbox.mails == []
    assert "mail not sent" in caplog.text
    assert staff.email not in caplog.text
