"""The outbox against real PostgreSQL, a log file and a real mail server: drains that die, wait, and run at once."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import Message as Mail
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session
from pydantic import SecretStr

from trading_assets.adapters.delivery import Drained, drain
from trading_assets.adapters.errors import AuthFailed, ContractBroken, Unreachable
from trading_assets.adapters.notifiers import EmailNotifier, LogNotifier, SmtpServer, build_notifiers
from trading_assets.adapters.postgres import notification
from trading_assets.adapters.postgres.database import Database
from trading_assets.domain.notification.messages import Channel, Message, MessageSeverity
from trading_assets.settings import EmailSettings, Environment, NotificationSettings

NO_LEASE = timedelta(0)


def message(number: int, severity: str = "critical", occurred_at: datetime | None = None) -> Message:
    return Message(
        message_id=f"{number:064x}",
        event="run_failed",
        severity=MessageSeverity(severity),
        subject=f"Run failed: job {number}",
        body=f"Error {number}: größer als erwartet\n",
        occurred_at=occurred_at or datetime.now(UTC),
    )


def enqueue(database: Database, *messages: Message) -> None:
    with database.transaction() as connection:
        notification.enqueue(connection, messages)


def deliveries(database: Database, channel: str) -> dict[int, tuple[str, int, str | None]]:
    with database.transaction() as connection:
        rows = connection.execute(
            "select message_id, state, attempts, error from notification.deliveries where channel = %s", (channel,)
        ).fetchall()
    return {int(message_id, 16): (state, attempts, error) for message_id, state, attempts, error in rows}


def wait_out_retries(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute("update notification.deliveries set claimed_at = claimed_at - interval '1 day'")


@dataclass
class Mailbox:
    """An aiosmtpd handler that keeps what it accepts; `on_data` is told before (False) and after (True) it does."""

    mails: list[Mail] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)
    on_data: Callable[[bool], None] = lambda is_kept: None

    async def handle_RCPT(  # noqa: N802  the name is aiosmtpd's
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refused:
            return "550 no such user here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.on_data(False)
        self.mails.append(message_from_bytes(envelope.content))
        self.on_data(True)
        return "250 accepted"

    @property
    def ids(self) -> list[str]:
        return [mail["Message-ID"] for mail in self.mails]


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def mail_server(mailbox: Mailbox) -> Iterator[SmtpServer]:
    def check(server: object, session: object, envelope: object, mechanism: str, credentials: object) -> AuthResult:
        is_known = credentials.login == b"desk" and credentials.password == b"right"
        return AuthResult(success=is_known, handled=False)

    controller = Controller(
        mailbox, hostname="127.0.0.1", port=0, authenticator=check, auth_require_tls=False, auth_required=False
    )
    controller.port = _free_port()
    controller.start()
    yield SmtpServer("127.0.0.1", controller.port, is_tls=False)
    controller.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def email(server: SmtpServer, severity: str = "warning", recipient: str = "you@example.com") -> EmailNotifier:
    return EmailNotifier(server, "Desk <desk@example.com>", recipient, MessageSeverity(severity))


# Outbox -------------------------------------------------------------------------------------------


def test_enqueue_rolled_back_with_its_fact_leaves_no_message(database: Database) -> None:
    def fact_and_message() -> None:
        with database.transaction() as connection:
            notification.enqueue(connection, [message(1)])
            raise LookupError("the fact could not be stored")

    with pytest.raises(LookupError):
        fact_and_message()

    with database.transaction() as connection:
        assert notification.claim(connection, Channel("log"), 10) == []


def test_enqueue_same_message_again_stores_it_once(database: Database) -> None:
    with database.transaction() as connection:
        assert notification.enqueue(connection, [message(1), message(2)]) == 2
        assert notification.enqueue(connection, [message(2), message(3), message(3)]) == 1


def test_claim_returns_what_was_enqueued_oldest_first(database: Database) -> None:
    sent = [message(number) for number in (3, 1, 2)]
    enqueue(database, *sent)

    with database.transaction() as connection:
        assert notification.claim(connection, Channel("log"), 2) == sent[:2]
        assert notification.claim(connection, Channel("log"), 2) == sent[2:]
        assert notification.claim(connection, Channel("log"), 2) == []
        assert len(notification.claim(connection, Channel("other"), 10)) == 3


def test_claim_by_many_at_once_gives_each_message_to_one(database: Database) -> None:
    enqueue(database, *(message(number) for number in range(60)))

    def claim_all(_: int) -> list[str]:
        taken: list[str] = []
        while True:
            with database.transaction() as connection:
                batch = notification.claim(connection, Channel("log"), 3)
            if not batch:
                return taken
            taken += [each.message_id for each in batch]

    with ThreadPoolExecutor(4) as pool:
        taken = [message_id for ids in pool.map(claim_all, range(4)) for message_id in ids]

    assert sorted(taken) == sorted(message(number).message_id for number in range(60))


def test_claim_of_a_dead_drain_is_taken_again_after_its_lease_only(database: Database) -> None:
    enqueue(database, message(1))
    with database.transaction() as connection:
        notification.claim(connection, Channel("log"), 10)

    with database.transaction() as connection:
        assert notification.claim(connection, Channel("log"), 10, timedelta(minutes=5)) == []
        assert len(notification.claim(connection, Channel("log"), 10, NO_LEASE)) == 1
    assert deliveries(database, "log")[1][:2] == ("claimed", 2)


def test_channel_tells_its_severity_and_no_old_history(database: Database) -> None:
    old = datetime.now(UTC) - timedelta(days=4)
    enqueue(database, message(1, "info"), message(2, "warning"), message(3, "critical"), message(4, "critical", old))
    picky = Channel("email", MessageSeverity.WARNING, timedelta(days=3))

    with database.transaction() as connection:
        assert notification.backlog(connection, [picky]).count == 2
        assert [int(each.message_id, 16) for each in notification.claim(connection, picky, 10)] == [2, 3]
        assert len(notification.claim(connection, Channel("log"), 10)) == 4


def test_backlog_fingerprint_changes_when_a_message_arrives_or_is_tried(database: Database) -> None:
    channel = Channel("log")
    prints = []
    for step in (lambda: enqueue(database, message(1)), lambda: None, lambda: enqueue(database, message(2))):
        step()
        with database.transaction() as connection:
            prints.append(notification.backlog(connection, [channel]).fingerprint)
    with database.transaction() as connection:
        notification.claim(connection, channel, 1)
        notification.mark_failed(connection, channel, [message(1).message_id], "refused")
    wait_out_retries(database)
    with database.transaction() as connection:
        prints.append(notification.backlog(connection, [channel]).fingerprint)

    assert prints[0] == prints[1]
    assert len(set(prints)) == 3


# Log ----------------------------------------------------------------------------------------------


def test_log_writes_one_json_line_a_message_and_none_twice(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "notifications.jsonl"
    first, second = LogNotifier(path), LogNotifier(path)

    for notifier in (first, second, first):
        notifier.send(message(1))
    second.send(message(2))

    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [int(line["message_id"], 16) for line in lines] == [1, 2]
    assert lines[0]["body"] == "Error 1: größer als erwartet\n"


def test_log_torn_line_of_a_killed_writer_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "notifications.jsonl"
    LogNotifier(path).send(message(1))
    with path.open("a") as file:
        file.write('{"message_id": "00')

    LogNotifier(path).send(message(2))

    assert [int(json.loads(line)["message_id"], 16) for line in path.read_text().splitlines()] == [1, 2]


def test_log_rotated_away_starts_a_new_file(tmp_path: Path) -> None:
    path = tmp_path / "notifications.jsonl"
    notifier = LogNotifier(path)
    notifier.send(message(1))
    path.rename(tmp_path / "notifications.1")

    notifier.send(message(2))

    assert int(json.loads(path.read_text())["message_id"], 16) == 2


def test_log_that_cannot_be_written_fails_naming_the_file(tmp_path: Path) -> None:
    file = tmp_path / "no_folder"
    file.touch()

    with pytest.raises(Unreachable, match=r"Cannot write .*notifications.jsonl"):
        LogNotifier(file / "notifications.jsonl").send(message(1))


# E-mail -------------------------------------------------------------------------------------------


def test_email_arrives_complete(database: Database, mail_server: SmtpServer, mailbox: Mailbox) -> None:
    enqueue(database, message(1, "warning"), message(2, "info"))

    assert drain(database, email(mail_server)) == Drained("email:you@example.com", sent=1, failed=0)

    (mail,) = mailbox.mails
    assert mail["Subject"] == "[warning] Run failed: job 1"
    assert mail["Message-ID"] == f"<{message(1).message_id}@example.com>"
    assert (mail["From"], mail["To"]) == ("Desk <desk@example.com>", "you@example.com")
    assert mail.get_payload(decode=True).decode().strip() == "Error 1: größer als erwartet"
    assert deliveries(database, "email:you@example.com") == {1: ("sent", 1, None)}


def test_email_drained_again_sends_nothing(database: Database, mail_server: SmtpServer, mailbox: Mailbox) -> None:
    enqueue(database, message(1), message(2))
    for _ in range(2):
        drain(database, email(mail_server), NO_LEASE)

    assert len(mailbox.mails) == 2


def test_refused_recipient_fails_with_the_servers_words_and_is_tried_later(
    database: Database, mail_server: SmtpServer, mailbox: Mailbox
) -> None:
    mailbox.refused.add("you@example.com")
    enqueue(database, message(1))
    notifier = email(mail_server)

    assert drain(database, notifier) == Drained("email:you@example.com", sent=0, failed=1)
    state, attempts, error = deliveries(database, "email:you@example.com")[1]
    assert (state, attempts) == ("failed", 1)
    assert "refused you@example.com: 550 no such user here" in str(error)

    mailbox.refused.clear()
    assert drain(database, notifier).sent == 0
    wait_out_retries(database)
    assert drain(database, notifier).sent == 1
    assert deliveries(database, "email:you@example.com") == {1: ("sent", 2, None)}


def test_refused_recipient_does_not_hold_up_another(
    database: Database, mail_server: SmtpServer, mailbox: Mailbox
) -> None:
    mailbox.refused.add("gone@example.com")
    enqueue(database, message(1))

    drained = [drain(database, email(mail_server, recipient=each)) for each in ("gone@example.com", "you@example.com")]

    assert [each.sent for each in drained] == [0, 1]


def test_server_that_does_not_answer_ends_the_drain_and_is_tried_later(database: Database) -> None:
    enqueue(database, message(1), message(2))

    drained = drain(database, email(SmtpServer("127.0.0.1", _free_port(), is_tls=False)))

    assert drained == Drained("email:you@example.com", sent=0, failed=2)
    assert {state for state, _, _ in deliveries(database, "email:you@example.com").values()} == {"failed"}


def test_login_with_the_right_password_sends(mail_server: SmtpServer, mailbox: Mailbox) -> None:
    email(SmtpServer.from_url(f"smtp://desk:right@127.0.0.1:{mail_server.port}")).send(message(1))

    assert len(mailbox.mails) == 1


def test_login_refused_fails_without_the_password(mail_server: SmtpServer, mailbox: Mailbox) -> None:
    server = SmtpServer.from_url(f"smtp://desk:s3cret@127.0.0.1:{mail_server.port}")

    with pytest.raises(AuthFailed, match="correct SMTP_URL") as caught:
        email(server).send(message(1))

    assert "s3cret" not in str(caught.value) + repr(server) + repr(caught.value.__cause__)
    assert mailbox.mails == []


def test_login_over_a_network_without_tls_sends_no_password(mail_server: SmtpServer, mailbox: Mailbox) -> None:
    # Reaches the same server under a name that is not known to be this machine.
    server = SmtpServer.from_url(f"smtp://desk:right@0.0.0.0:{mail_server.port}")

    with pytest.raises(AuthFailed, match="offers no TLS, so the password was not sent"):
        email(server).send(message(1))

    assert mailbox.mails == []


@pytest.mark.parametrize("url", ["http://desk:s3cret@host", "smtp://desk:s3cret@host:port", "desk:s3cret@host"])
def test_smtp_url_that_cannot_be_read_fails_without_the_password(url: str) -> None:
    with pytest.raises(ContractBroken, match="SMTP_URL is not smtp://") as caught:
        SmtpServer.from_url(url)

    assert "s3cret" not in str(caught.value)


def test_smtp_url_with_tls_and_escaped_password_is_read() -> None:
    server = SmtpServer.from_url("smtps://you%40example.com:p%2Fw@mail.example.com")

    assert server == SmtpServer("mail.example.com", 465, True, "you@example.com", "p/w")


def test_starttls_with_a_certificate_nobody_vouches_for_sends_nothing(mailbox: Mailbox, tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl to make a certificate")
    request = f"req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=127.0.0.1 -keyout {key} -out {certificate}"
    subprocess.run(["openssl", *request.split()], check=True, capture_output=True)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate, key)
    controller = Controller(mailbox, hostname="127.0.0.1", port=_free_port(), tls_context=tls)
    controller.start()

    with pytest.raises(Unreachable, match="CERTIFICATE_VERIFY_FAILED"):
        email(SmtpServer.from_url(f"smtp://desk:right@127.0.0.1:{controller.port}")).send(message(1))

    controller.stop()
    assert mailbox.mails == []


# Configuration ------------------------------------------------------------------------------------


def environment(home: Path, smtp_url: str | None) -> Environment:
    facts = {"database_url": None, "redis_url": None, "smtp_url": smtp_url and SecretStr(smtp_url), "home": home}
    return Environment(**facts)


def test_build_notifiers_without_email_logs_only(tmp_path: Path) -> None:
    (log,) = build_notifiers(NotificationSettings(), environment(tmp_path, None))

    assert isinstance(log, LogNotifier)
    assert log.path == tmp_path / "logs" / "notifications.jsonl"


def test_build_notifiers_with_email_makes_a_channel_a_recipient(tmp_path: Path) -> None:
    settings = NotificationSettings(email=EmailSettings(sender="a@b.c", recipients=["x@y.z", "v@w.x"]))

    channels = [each.channel.name for each in build_notifiers(settings, environment(tmp_path, "smtp://localhost:25"))]

    assert channels == ["log", "email:x@y.z", "email:v@w.x"]


def test_build_notifiers_email_without_smtp_url_says_what_to_set(tmp_path: Path) -> None:
    settings = NotificationSettings(email=EmailSettings(sender="a@b.c", recipients=["x@y.z"]))

    with pytest.raises(AuthFailed, match="SMTP_URL is not set"):
        build_notifiers(settings, environment(tmp_path, None))


# Killed drains ------------------------------------------------------------------------------------

DRAIN = """
import sys
from datetime import timedelta
from pathlib import Path
from trading_assets.adapters.delivery import drain
from trading_assets.adapters.notifiers import EmailNotifier, LogNotifier, SmtpServer
from trading_assets.adapters.postgres.database import Database

url, port, log = sys.argv[1:]
email = EmailNotifier(SmtpServer("127.0.0.1", int(port), is_tls=False), "desk@example.com", "you@example.com")
for notifier in (LogNotifier(Path(log)), email):
    drain(Database(url), notifier, lease=timedelta(0))
"""


class Drainer:
    """A drain in a process of its own that may be killed."""

    def __init__(self, database: Database, server: SmtpServer, log: Path) -> None:
        self._command = [sys.executable, "-c", DRAIN, database.url, str(server.port), str(log)]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> subprocess.Popen[bytes]:
        self.process = subprocess.Popen(self._command)
        return self.process

    def kill(self) -> None:
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()


@pytest.mark.parametrize("is_kept", [False, True], ids=["before the server accepts", "after the server accepts"])
def test_drain_killed_around_the_servers_acceptance_delivers_every_message(
    database: Database, mail_server: SmtpServer, mailbox: Mailbox, tmp_path: Path, is_kept: bool
) -> None:
    count, kill_at = 5, 3
    enqueue(database, *(message(number) for number in range(count)))
    drainer = Drainer(database, mail_server, tmp_path / "log.jsonl")
    seen = Counter[bool]()

    def kill_once(kept: bool) -> None:
        seen[kept] += 1
        if kept is is_kept and seen[kept] == kill_at:
            drainer.kill()

    mailbox.on_data = kill_once
    assert drainer.start().wait() == -signal.SIGKILL
    assert drainer.start().wait() == 0

    expected = {f"<{message(number).message_id}@example.com>" for number in range(count)}
    copies = Counter(mailbox.ids)
    assert set(copies) == expected
    # The window that SMTP leaves open: the mail that was in flight may be there twice, under the same Message-ID.
    killed_id = f"<{message(kill_at - 1).message_id}@example.com>"
    assert {name for name, times in copies.items() if times > 1} <= {killed_id}
    assert copies[killed_id] == 2
    texts = {(mail["Message-ID"], mail["Date"], mail.get_payload()) for mail in mailbox.mails}
    assert len(texts) == count
    assert {state for state, _, _ in deliveries(database, "email:you@example.com").values()} == {"sent"}


def test_drain_killed_at_any_time_delivers_every_message_once(
    database: Database, mail_server: SmtpServer, mailbox: Mailbox, tmp_path: Path
) -> None:
    count, log = 40, tmp_path / "log.jsonl"
    enqueue(database, *(message(number) for number in range(count)))
    drainer = Drainer(database, mail_server, log)
    kills = 0

    for delay in (0.02, 0.05, 0.03, 0.08):
        before = len(mailbox.mails) + (log.stat().st_size if log.exists() else 0)
        process = drainer.start()
        while process.poll() is None and len(mailbox.mails) + (log.stat().st_size if log.exists() else 0) == before:
            time.sleep(0.005)
        time.sleep(delay)
        if process.poll() is None:
            drainer.kill()
            kills += 1
    assert drainer.start().wait() == 0

    expected = sorted(message(number).message_id for number in range(count))
    logged = [json.loads(line)["message_id"] for line in log.read_text().splitlines()]
    assert sorted(logged) == expected
    copies = Counter(mailbox.ids)
    assert sorted(copies) == [f"<{message_id}@example.com>" for message_id in expected]
    assert kills > 0
    assert sum(copies.values()) - count <= kills


def test_two_drains_at_once_send_each_message_once(
    database: Database, mail_server: SmtpServer, mailbox: Mailbox
) -> None:
    count = 30
    enqueue(database, *(message(number) for number in range(count)))

    threads = [threading.Thread(target=drain, args=(database, email(mail_server))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(mailbox.ids) == len(set(mailbox.ids)) == count
