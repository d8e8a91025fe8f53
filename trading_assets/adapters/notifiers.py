"""The ways to reach a person: a log file that is always written, and e-mail. What is worth telling is the domain's."""

from __future__ import annotations

import fcntl
import json
import os
import smtplib
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import IO
from urllib.parse import unquote, urlsplit

from trading_assets.adapters.errors import AuthFailed, ContractBroken, Unreachable
from trading_assets.adapters.ports import Notifier
from trading_assets.domain.notification.messages import Channel, Message, MessageSeverity
from trading_assets.settings import Environment, NotificationSettings

SMTP_TIMEOUT_S = 10.0
THIS_MACHINE = ("localhost", "127.0.0.1", "::1")
EMAIL_MAX_AGE = timedelta(days=3)
"""A fact older than this when it was recorded comes from a backfill or a rehearsal and is not worth an e-mail."""


def build_notifiers(settings: NotificationSettings, environment: Environment) -> list[Notifier]:
    """The log, and one e-mail notifier for each recipient: a refused one must not hold up or repeat the others."""
    notifiers: list[Notifier] = [LogNotifier(environment.home / "logs" / "notifications.jsonl")]
    if settings.email is not None:
        if environment.smtp_url is None:
            raise AuthFailed(
                "trading.yaml asks for e-mail (notifications.email) and SMTP_URL is not set: "
                "set it to smtp://user:password@host:587, or remove notifications.email."
            )
        server = SmtpServer.from_url(environment.smtp_url.get_secret_value())
        severity = MessageSeverity(settings.email.min_severity)
        notifiers += [
            EmailNotifier(server, settings.email.sender, recipient, severity) for recipient in settings.email.recipients
        ]
    return notifiers


@dataclass
class LogNotifier:
    """Appends each message once, as one JSON line, to `path`. A line counts when its line feed is on the disk.

    Safe against a second process and against dying in mid-line: the rest of a torn line is cut off by the next send.
    """

    path: Path
    channel: Channel = field(default_factory=lambda: Channel("log"))
    _known_ids: set[str] = field(default_factory=set, repr=False)
    _read_up_to: int = field(default=0, repr=False)

    def send(self, message: Message) -> None:
        line = json.dumps(
            {
                "message_id": message.message_id,
                "event": message.event,
                "severity": str(message.severity),
                "occurred_at": message.occurred_at.isoformat(),
                "subject": message.subject,
                "body": message.body,
            },
            ensure_ascii=False,
        )
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a+b") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                self._read_new_lines(file)
                if message.message_id in self._known_ids:
                    return
                file.truncate(self._read_up_to)
                file.write(line.encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise Unreachable(
                f"Cannot write {self.path}: {error.strerror}. Free the disk or correct its rights."
            ) from error

    def _read_new_lines(self, file: IO[bytes]) -> None:
        if file.seek(0, os.SEEK_END) < self._read_up_to:
            self._known_ids.clear()
            self._read_up_to = 0
        file.seek(self._read_up_to)
        for line in file:
            if line.endswith(b"\n"):
                self._known_ids.add(json.loads(line)["message_id"])
                self._read_up_to += len(line)


@dataclass(frozen=True)
class SmtpServer:
    """Where mail is handed in. `is_tls`: TLS from the first byte (smtps), otherwise STARTTLS where it is offered."""

    host: str
    port: int
    is_tls: bool
    user: str | None = None
    password: str | None = field(default=None, repr=False)

    @classmethod
    def from_url(cls, url: str) -> SmtpServer:
        """Reads smtp://user:password@host:port or smtps://...; an error never repeats the URL, which holds a secret."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise ContractBroken(_SMTP_URL_HELP) from None
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
            raise ContractBroken(_SMTP_URL_HELP)
        is_tls = parts.scheme == "smtps"
        return cls(
            host=parts.hostname,
            port=port or (465 if is_tls else 587),
            is_tls=is_tls,
            user=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
        )


_SMTP_URL_HELP = (
    "SMTP_URL is not smtp://user:password@host:port or smtps://user:password@host:port "
    "(special characters in user and password percent-encoded)."
)


@dataclass
class EmailNotifier:
    """Mails each message to one recipient over `server`.

    SMTP has no transaction that spans the server's acceptance and our record of it: killed between the two, the message
    is mailed again. The copy has the same Message-ID, Date and text, so that a mail store that drops duplicates, as
    most do, keeps one. Credentials are sent over TLS only, except to this machine.
    """

    server: SmtpServer
    sender: str
    recipient: str
    min_severity: MessageSeverity = MessageSeverity.WARNING
    channel: Channel = field(init=False)

    def __post_init__(self) -> None:
        self.channel = Channel(f"email:{self.recipient}", self.min_severity, EMAIL_MAX_AGE)

    def send(self, message: Message) -> None:
        where = f"mail server {self.server.host}:{self.server.port}"
        try:
            client = self._connected()
            try:
                client.send_message(self._mail(message), self.sender, [self.recipient])
            finally:
                # Accepted is accepted: a server that fails to say goodbye must not cause a second mail.
                with suppress(OSError, smtplib.SMTPException):
                    client.quit()
        except smtplib.SMTPAuthenticationError as error:
            raise AuthFailed(f"The {where} refused the login ({error.smtp_code}): correct SMTP_URL.") from None
        except smtplib.SMTPRecipientsRefused as error:
            code, reply = next(iter(error.recipients.values()))
            raise ContractBroken(f"The {where} refused {self.recipient}: {code} {_text(reply)}") from error
        except smtplib.SMTPResponseException as error:
            kind = Unreachable if 400 <= error.smtp_code < 500 else ContractBroken
            raise kind(f"The {where} answered {error.smtp_code} {_text(error.smtp_error)}") from error
        except (OSError, smtplib.SMTPException) as error:
            raise Unreachable(f"The {where} does not answer: {type(error).__name__}: {error}") from error

    def _connected(self) -> smtplib.SMTP:
        host, port, tls = self.server.host, self.server.port, ssl.create_default_context()
        client: smtplib.SMTP
        if self.server.is_tls:
            client = smtplib.SMTP_SSL(host, port, timeout=SMTP_TIMEOUT_S, context=tls)
        else:
            client = smtplib.SMTP(host, port, timeout=SMTP_TIMEOUT_S)
        try:
            client.ehlo()
            is_private = self.server.is_tls
            if not is_private and client.has_extn("starttls"):
                client.starttls(context=tls)
                is_private = True
            self._log_in(client, is_private)
        except BaseException:
            client.close()
            raise
        return client

    def _log_in(self, client: smtplib.SMTP, is_private: bool) -> None:
        if self.server.user is None:
            return
        if not is_private and self.server.host not in THIS_MACHINE:
            raise AuthFailed(
                f"The mail server {self.server.host}:{self.server.port} offers no TLS, so the password was not sent: "
                "use smtps:// or a server with STARTTLS."
            )
        client.login(self.server.user, self.server.password or "")

    def _mail(self, message: Message) -> EmailMessage:
        mail = EmailMessage()
        mail["Message-ID"] = f"<{message.message_id}@{self.sender.rpartition('@')[2].rstrip('>') or 'localhost'}>"
        mail["Date"] = format_datetime(message.occurred_at)
        mail["From"] = self.sender
        mail["To"] = self.recipient
        mail["Subject"] = f"[{message.severity}] {message.subject}"
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(message.body)
        return mail


def _text(reply: bytes | str) -> str:
    return " ".join((reply.decode(errors="replace") if isinstance(reply, bytes) else reply).split())
