"""What vendors answered, counted: by day, vendor, dataset and status, and the newest rows that were set aside."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

from trading_assets.adapters.postgres.records import select

if TYPE_CHECKING:
    import psycopg


@dataclass(frozen=True, slots=True)
class AnswerCount:
    """The answers of one New York day with one status. Latencies are those of the requests, in milliseconds."""

    received_on: date
    vendor: str
    dataset: str
    status: int
    answers: int
    body_bytes: int
    median_latency_ms: int
    max_latency_ms: int
    quarantined_rows: int


@dataclass(frozen=True, slots=True)
class SetAside:
    """A row that no table took."""

    vendor: str
    dataset: str
    response_id: int
    section: str
    position: int
    reason: str
    row: str


def answer_counts(connection: psycopg.Connection, since: datetime) -> list[AnswerCount]:
    """The answers that were received from `since` (UTC) on, the newest day first."""
    return select(
        connection,
        AnswerCount,
        """
        select (received_at at time zone 'America/New_York')::date as received_on, vendor, dataset, status,
               count(*) as answers, sum(body_bytes)::bigint as body_bytes,
               (percentile_disc(0.5) within group (order by latency_ms))::integer as median_latency_ms,
               max(latency_ms)::integer as max_latency_ms, sum(quarantined)::bigint as quarantined_rows
        from market.vendor_responses
        cross join lateral (select extract(epoch from received_at - requested_at) * 1000 as latency_ms) as timing
        cross join lateral (
            select count(*) as quarantined from market.quarantined_rows as aside
            where aside.response_id = vendor_responses.response_id
        ) as counted
        where received_at >= %(since)s
        group by 1, 2, 3, 4
        order by 1 desc, 2, 3, 4
        """,
        since=since,
    )


def newest_set_aside(connection: psycopg.Connection, since: datetime, limit: int) -> list[SetAside]:
    """Up to `limit` rows of the answers from `since` (UTC) on, the newest answers first."""
    return select(
        connection,
        SetAside,
        "select vendor, dataset, response_id, section, position, reason, left(row_json, 200) as row "
        "from market.quarantined_rows join market.vendor_responses using (response_id) "
        "where received_at >= %(since)s order by response_id desc, section, position limit %(limit)s",
        since=since,
        limit=limit,
    )
