"""Mail through the configured SMTP server."""

from email.message import EmailMessage

import aiosmtplib

from app.core.config import Settings, SmtpSecurity

TIMEOUT_S = 20


class Mailer:
    """Sends plain text. Without SMTP_HOST nothing can be sent, and ``configured`` says so."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @property
    def configured(self) -> bool:
        return self._settings.smtp_host is not None

    async def send(self, to: str, subject: str, text: str) -> None:
        """Raise ``aiosmtplib.SMTPException`` or ``OSError`` when the server does not take it."""
        message = EmailMessage()
        message["From"] = self._settings.mail_from
        message["To"] = to
        message["Subject"] = subject
        message.set_content(text)
        settings = self._settings
        password = settings.smtp_password
        await aiosmtplib.send(
            message,
            hostname=settings.smtp_host,
            port=settings.smtp_port,
            username=settings.smtp_username,
            password=None if password is None else password.get_secret_value(),
            use_tls=settings.smtp_security is SmtpSecurity.TLS,
            start_tls=settings.smtp_security is SmtpSecurity.STARTTLS,
            timeout=TIMEOUT_S,
        )
