"""The outbox (notification.messages) and what became of each message on each channel (notification.deliveries).

A message is enqueued in the transaction of its fact, and claimed, sent and marked by a drain that may die at any time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import psycopg
from psycopg import sql

from trading_assets.domain.notification.messages import Channel, Message, MessageSeverity

LEASE = timedelta(minutes=5)
"""After this a claimed message that is neither sent nor failed is taken again: its drain is dead."""

FIRST_RETRY = timedelta(seconds=30)
LONGEST_RETRY = timedelta(hours=1)
HORIZON = timedelta(days=30)
"""Messages older than this are no longer tried."""

# Whether a delivery (NULL: none yet) may be taken. Evaluated twice: on what was read, and on the row as it is when
# it is written, because another drain may have claimed or sent the message in between.
_CLAIMABLE = sql.SQL(
    "({0}.state is null"
    " or ({0}.state = 'claimed' and {0}.claimed_at < clock_timestamp() - %(lease)s)"
    " or ({0}.state = 'failed' and {0}.claimed_at"
    " < clock_timestamp() - least(%(longest_retry)s, %(first_retry)s * power(2, least({0}.attempts - 1, 20)))))"
)

_WANTED = sql.SQL(
    "from notification.messages as message"
    " left join notification.deliveries as delivery"
    " on delivery.message_id = message.message_id and delivery.channel = %(channel)s"
    " where message.created_at > clock_timestamp() - %(horizon)s"
    " and message.severity = any(%(severities)s)"
    " and (%(max_age)s::interval is null or message.occurred_at > message.created_at - %(max_age)s::interval)"
    " and "
) + _CLAIMABLE.format(sql.Identifier("delivery"))


@dataclass(frozen=True)
class Backlog:
    """Messages that wait for a drain. `fingerprint` changes when a message arrives or a delivery is tried."""

    count: int
    fingerprint: str


def enqueue(connection: psycopg.Connection, messages: Iterable[Message]) -> int:
    """Store messages in the caller's transaction; those already stored stay as they are. Returns how many are new."""
    rows = [
        (each.message_id, each.event, str(each.severity), each.subject, each.body, each.occurred_at)
        for each in messages
    ]
    if not rows:
        return 0
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into notification.messages (message_id, event, severity, subject, body, occurred_at) "
            "values (%s, %s, %s, %s, %s, %s) on conflict (message_id) do nothing",
            rows,
        )
        return cursor.rowcount


def claim(connection: psycopg.Connection, channel: Channel, limit: int, lease: timedelta = LEASE) -> list[Message]:
    """Take up to `limit` undelivered messages for `channel`, oldest first. Commit before sending.

    New ones, those whose failed attempt is long enough ago, and those of a drain that died with its claim.
    Two drains at once never claim the same message.
    """
    statement = sql.SQL(
        "with wanted as materialized (select message.message_id {wanted}"
        " order by message.created_at, message.message_id limit %(limit)s for update of message skip locked),"
        " claimed as (insert into notification.deliveries as current (message_id, channel, state)"
        " select message_id, %(channel)s, 'claimed' from wanted"
        " on conflict (message_id, channel) do update set"
        " state = 'claimed', attempts = current.attempts + 1, claimed_at = clock_timestamp(), error = null"
        " where {claimable} returning message_id)"
        " select message_id, event, severity, subject, body, occurred_at from notification.messages"
        " join claimed using (message_id) order by created_at, message_id"
    ).format(wanted=_WANTED, claimable=_CLAIMABLE.format(sql.Identifier("current")))
    rows = connection.execute(statement, _parameters(channel, lease) | {"limit": limit})
    return [
        Message(message_id, event, MessageSeverity(severity), subject, body, occurred_at)
        for message_id, event, severity, subject, body, occurred_at in rows
    ]


def mark_sent(connection: psycopg.Connection, channel: Channel, message_id: str) -> None:
    """The channel accepted the message."""
    connection.execute(
        "update notification.deliveries set state = 'sent', sent_at = clock_timestamp(), error = null "
        "where message_id = %s and channel = %s",
        (message_id, channel.name),
    )


def mark_failed(connection: psycopg.Connection, channel: Channel, message_ids: Sequence[str], error: str) -> None:
    """The channel did not accept the messages; they are claimed again later, the longer the more attempts failed."""
    connection.execute(
        "update notification.deliveries set state = 'failed', claimed_at = clock_timestamp(), error = %s "
        "where message_id = any(%s) and channel = %s and state = 'claimed'",
        (error, list(message_ids), channel.name),
    )


def backlog(connection: psycopg.Connection, channels: Sequence[Channel]) -> Backlog:
    """What a drain of `channels` would find now."""
    count, parts = 0, []
    query = sql.SQL("select count(*), max(message.created_at), sum(delivery.attempts) ") + _WANTED
    for channel in channels:
        row = connection.execute(query, _parameters(channel, LEASE)).fetchone() or (0, None, None)
        count += row[0]
        parts.append(f"{channel.name}:{row[0]}:{row[1]}:{row[2]}")
    return Backlog(count, "|".join(parts))


def delivery_counts(connection: psycopg.Connection) -> dict[tuple[str, str], int]:
    """How many messages are in which state, by (channel, state)."""
    rows = connection.execute(
        "select channel, state, count(*) from notification.deliveries group by 1, 2 order by 1, 2"
    )
    return {(channel, state): count for channel, state, count in rows}


def _parameters(channel: Channel, lease: timedelta) -> dict[str, Any]:
    return {
        "channel": channel.name,
        "severities": [str(each) for each in MessageSeverity if each.rank >= channel.min_severity.rank],
        "max_age": channel.max_age,
        "lease": lease,
        "horizon": HORIZON,
        "first_retry": FIRST_RETRY,
        "longest_retry": LONGEST_RETRY,
    }
