"""Drains the outbox into one notifier. May be killed at any point and run again, also twice at once."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta

from trading_assets.adapters.errors import AdapterError, ContractBroken
from trading_assets.adapters.ports import Notifier
from trading_assets.adapters.postgres import notification
from trading_assets.adapters.postgres.database import Database

BATCH = 10
"""Small, so that even a slow mail server finishes a batch within the lease of its claims."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Drained:
    """What one drain did with one channel."""

    channel: str
    sent: int
    failed: int


def drain(database: Database, notifier: Notifier, lease: timedelta = notification.LEASE) -> Drained:
    """Send every message the channel is due, each marked before the next is sent.

    A message that is refused is tried again later, and the others go on; a channel that does not answer or refuses
    our login ends the drain.
    Killed between the channel's acceptance and the mark, the message is sent a second time: notifiers make the copy
    recognisable (adapters/notifiers.py).
    """
    sent = failed = 0
    with database.transaction() as connection:
        while messages := notification.claim(connection, notifier.channel, BATCH, lease):
            connection.commit()
            for position, message in enumerate(messages):
                try:
                    notifier.send(message)
                except AdapterError as error:
                    logger.warning("%s: message %s failed: %s", notifier.channel.name, message.message_id, error)
                    is_about_this_message = isinstance(error, ContractBroken)
                    waiting = [message] if is_about_this_message else messages[position:]
                    notification.mark_failed(
                        connection, notifier.channel, [each.message_id for each in waiting], str(error)
                    )
                    connection.commit()
                    failed += len(waiting)
                    if not is_about_this_message:
                        return Drained(notifier.channel.name, sent, failed)
                else:
                    notification.mark_sent(connection, notifier.channel, message.message_id)
                    connection.commit()
                    sent += 1
    return Drained(notifier.channel.name, sent, failed)
