"""Mail through the configured SMTP server."""

from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import localtime, parseaddr

import aiosmtplib

from app.core.config import Settings, SmtpSecurity

TIMEOUT_S = 20


@dataclass(frozen=True, slots=True)
class Mail:
    """Plain text for one person; ``name`` is the same whenever the same mail is sent again."""

    to: str
    subject: str
    text: str
    name: str


class Mailer:
    """Sends plain text. Without SMTP_HOST nothing can be sent, and ``configured`` says so."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @property
    def configured(self) -> bool:
        return self._settings.smtp_host is not None

    def message(self, mail: Mail) -> EmailMessage:
        message = EmailMessage()
        message["From"] = self._settings.mail_from
        message["To"] = mail.to
        message["Subject"] = mail.subject
        message["Date"] = localtime()
        domain = parseaddr(self._settings.mail_from)[1].rpartition("@")[2] or "localhost"
        message["Message-ID"] = f"<{mail.name}@{domain}>"
        message.set_content(mail.text)
        return message

    async def send(self, mail: Mail) -> None:
        """Raise ``aiosmtplib.SMTPException`` or ``OSError`` when the server does not take it."""
        settings = self._settings
        password = settings.smtp_password
        await aiosmtplib.send(
            self.message(mail),
            hostname=settings.smtp_host,
            port=settings.smtp_port,
            username=settings.smtp_username,
            password=None if password is None else password.get_secret_value(),
            use_tls=settings.smtp_security is SmtpSecurity.TLS,
            start_tls=settings.smtp_security is SmtpSecurity.STARTTLS,
            timeout=TIMEOUT_S,
        )
