"""What vendors answered, and the request rate that all processes with one key share.

Each call is a transaction of its own: an answer stays stored whatever happens to the run that asked for it.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from psycopg import sql
from psycopg.types.json import Jsonb

from trading_assets.adapters.errors import ContractBroken, RateLimited
from trading_assets.adapters.postgres.database import Database, copy_rows
from trading_assets.adapters.vendor_gateway import Fetch, Page, QuarantinedRow, VendorResponse

if TYPE_CHECKING:
    import psycopg

_REFILLED = sql.SQL(
    "least(%(capacity)s, rate_limits.tokens "
    "+ extract(epoch from clock_timestamp() - rate_limits.refilled_at) * %(per_second)s)"
)


@dataclass(frozen=True)
class SharedTokenBucket:
    """A RateLimiter over ops.rate_limits: at most `capacity` requests at once and `per_minute` in the long run."""

    database: Database
    bucket: str
    capacity: float
    per_minute: float

    def reserve(self, patience_s: float) -> float:
        """Take one request and return the seconds to wait before sending it. Raises RateLimited beyond `patience_s`."""
        per_second = self.per_minute / 60
        with self.database.transaction() as connection:
            row = connection.execute(
                sql.SQL(
                    "insert into ops.rate_limits (bucket, tokens, refilled_at) "
                    "values (%(bucket)s, %(capacity)s::double precision - 1, clock_timestamp()) "
                    "on conflict (bucket) do update set tokens = {refilled} - 1, refilled_at = clock_timestamp() "
                    "where {refilled} >= 1 - %(patience_s)s * %(per_second)s returning tokens"
                ).format(refilled=_REFILLED),
                {
                    "bucket": self.bucket,
                    "capacity": self.capacity,
                    "per_second": per_second,
                    "patience_s": patience_s,
                },
            ).fetchone()
        if row is None:
            raise RateLimited(
                f"{self.bucket.split(':')[0]} is asked for more than {self.per_minute:g} requests a minute: the next "
                f"turn is more than {patience_s:.0f} s away. Try again later, or raise requests_per_minute in "
                "trading.yaml if your plan allows more."
            )
        return max(0.0, -float(row[0]) / per_second)

    def pause(self, seconds: float) -> None:
        """The vendor asked for a rest: nobody's next turn comes before `seconds` have passed."""
        with self.database.transaction() as connection:
            connection.execute(
                sql.SQL(
                    "update ops.rate_limits set tokens = least({refilled}, 1 - %(seconds)s * %(per_second)s), "
                    "refilled_at = clock_timestamp() where bucket = %(bucket)s"
                ).format(refilled=_REFILLED),
                {
                    "bucket": self.bucket,
                    "capacity": self.capacity,
                    "per_second": self.per_minute / 60,
                    "seconds": seconds,
                },
            )


def bucket_of(vendor: str, key: str) -> str:
    """The name of the bucket that everybody with this key shares, without giving the key away."""
    return f"{vendor}:{hashlib.sha256(key.encode()).hexdigest()[:8]}"


@dataclass(frozen=True)
class StoredResponses:
    """A ResponseStore over market.vendor_responses and market.quarantined_rows.

    `prefix` begins the dataset of its answers, and sets those apart that are not read into the tables of the market.
    """

    database: Database
    prefix: str = ""

    def store(self, response: VendorResponse) -> int:
        """Keep the response; returns its id."""
        with self.database.transaction() as connection:
            row = connection.execute(
                "insert into market.vendor_responses (fetch_id, vendor, dataset, question, method, url, status, "
                "headers, requested_at, received_at, body_bytes, body_sha256, body_gzip) "
                "values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) returning response_id",
                (
                    response.fetch_id,
                    response.vendor,
                    self.prefix + response.dataset,
                    Jsonb(dict(response.question)),
                    response.method,
                    response.url,
                    response.status,
                    Jsonb(dict(response.headers)),
                    response.requested_at,
                    response.received_at,
                    len(response.body),
                    hashlib.sha256(response.body).digest(),
                    # No time in it: the same body is always stored as the same bytes.
                    gzip.compress(response.body, compresslevel=6, mtime=0),
                ),
            ).fetchone()
        assert row is not None  # noqa: S101  an insert that returns
        return int(row[0])

    def quarantine(self, rows: Sequence[QuarantinedRow]) -> None:
        """Keep rows that were set aside; the same rows again change nothing."""
        if rows:
            with self.database.transaction() as connection:
                quarantine_rows(connection, rows)


def quarantine_rows(connection: psycopg.Connection, rows: Sequence[QuarantinedRow]) -> int:
    """Keep rows that were set aside; returns how many were not kept yet."""
    columns = ("response_id", "section", "position", "reason", "row_json")
    connection.execute("drop table if exists pg_temp.stage_quarantined")
    connection.execute(
        "create temporary table stage_quarantined on commit drop as "
        "select response_id, section, position, reason, row_json from market.quarantined_rows with no data"
    )
    copy_rows(
        connection,
        sql.Identifier("stage_quarantined"),
        columns,
        ((row.response_id, row.section, row.position, row.reason, row.row) for row in rows),
    )
    return connection.execute(
        "insert into market.quarantined_rows (response_id, section, position, reason, row_json) "
        "select * from stage_quarantined on conflict do nothing"
    ).rowcount


def stored_fetches(
    database: Database,
    vendor: str | None = None,
    dataset: str | Sequence[str] | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    about: tuple[date, date] | None = None,
) -> Iterator[Fetch]:
    """The questions that were answered, oldest first, with every accepted answer as it was received.

    Only those of one vendor, of one dataset or several, with an answer received from `since` to before `until`, and
    with a question whose days `first` to `last` overlap `about`, where given. A question with an answer that is
    archived is left out. Raises ContractBroken for a body that is not what its hash says.
    """
    with database.transaction() as connection, connection.cursor(name="stored_fetches") as cursor:
        cursor.itersize = 20  # a body may have megabytes
        cursor.execute(
            "select fetch_id, vendor, dataset, question, response_id, url, body_sha256, body_gzip from ("
            "select *, min(response_id) over same_question as first_id, "
            "bool_and(body_gzip is not null) over same_question as is_here from market.vendor_responses "
            "where (%(vendor)s::text is null or vendor = %(vendor)s) "
            "and (%(datasets)s::text[] is null or dataset = any(%(datasets)s)) and status between 200 and 299 "
            "and fetch_id in (select fetch_id from market.vendor_responses "
            "where received_at >= coalesce(%(since)s::timestamptz, '-infinity') "
            "and received_at < coalesce(%(until)s::timestamptz, 'infinity')) "
            "and (%(first)s::text is null or question->>'first' <= %(last)s and question->>'last' >= %(first)s) "
            "window same_question as (partition by fetch_id)) as answers where is_here order by first_id, response_id",
            {
                "vendor": vendor,
                "datasets": [dataset] if isinstance(dataset, str) else dataset and list(dataset),
                "since": since,
                "until": until,
            }
            | dict(zip(("first", "last"), (f"{day}" for day in about) if about else (None, None), strict=True)),
        )
        fetch: Fetch | None = None
        for fetch_id, asked, kind, question, response_id, url, digest, packed in cursor:
            if fetch is None or fetch.fetch_id != fetch_id:
                if fetch is not None:
                    yield fetch
                fetch = Fetch(UUID(str(fetch_id)), asked, kind, question)
            fetch.pages.append(Page(response_id, url, _unpacked(response_id, digest, packed)))
        if fetch is not None:
            yield fetch


def days_asked_about(
    database: Database, datasets: Sequence[str], since: datetime | None = None, until: datetime | None = None
) -> tuple[date, date] | None:
    """The first and the last day that these datasets' questions of a time were about; None without any."""
    with database.transaction() as connection:
        row = connection.execute(
            "select min((question->>'first')::date), max((question->>'last')::date) from market.vendor_responses "
            "where dataset = any(%(datasets)s) and received_at >= coalesce(%(since)s::timestamptz, '-infinity') "
            "and received_at < coalesce(%(until)s::timestamptz, 'infinity')",
            {"datasets": list(datasets), "since": since, "until": until},
        ).fetchone()
    return (row[0], row[1]) if row and row[0] else None


def _unpacked(response_id: int, digest: bytes, packed: Any) -> bytes:
    body = gzip.decompress(packed)
    if hashlib.sha256(body).digest() != digest:
        raise ContractBroken(f"market.vendor_responses {response_id} is not what was received: its hash differs.")
    return body
