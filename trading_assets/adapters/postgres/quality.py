"""What the quality checks read, and the gates they write (ops.quality_gates). What a check means lives in `quality`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING

import psycopg
from psycopg.types.json import Jsonb

from trading_assets.adapters.postgres.database import Database, Table, merge
from trading_assets.adapters.postgres.events import Topic, append_event

if TYPE_CHECKING:
    import pandas as pd

    from trading_assets.quality.expectations import Suite
    from trading_assets.quality.outcomes import ExpectationOutcome

GATES = Table(
    "ops.quality_gates",
    key=("dataset", "session_date", "symbol"),
    compared=("state", "failing_checks", "evaluated_at"),
)
OPEN, CLOSED = "open", "closed"


def hold_gates(connection: psycopg.Connection) -> None:
    """Until the end of the transaction nobody else changes a gate; reading goes on.

    Whoever stores data sets its gates to pending in the same transaction. Without the lock a bar stored between
    a check's reading and its verdict would go through the gate unchecked.
    """
    connection.execute("lock table ops.quality_gates in share row exclusive mode")


def write_gates(
    connection: psycopg.Connection,
    dataset: str,
    failing_checks: Mapping[tuple[date, str], Sequence[str]],
    evaluated_at: datetime,
) -> int:
    """Open the gates of the (session, symbol) pairs without a failing check, close the others; returns how many.

    Hold the gates (hold_gates) before: an event records how many changed their state.
    """
    if not failing_checks:
        return 0
    _append_changes(connection, dataset, {pair: CLOSED if checks else OPEN for pair, checks in failing_checks.items()})
    rows = (
        (dataset, session_date, symbol, CLOSED if failing else OPEN, sorted(failing), evaluated_at)
        for (session_date, symbol), failing in sorted(failing_checks.items())
    )
    columns = ("dataset", "session_date", "symbol", "state", "failing_checks", "evaluated_at")
    return merge(connection, GATES, columns, rows)


def _append_changes(connection: psycopg.Connection, dataset: str, states: Mapping[tuple[date, str], str]) -> None:
    """Record which of these states differ from the stored ones; a gate that was never written counts as closed."""
    sessions = sorted({session_date for session_date, _ in states})
    before = read_gates(connection, dataset, sessions, sorted({symbol for _, symbol in states}))
    changed = sorted(pair for pair, state in states.items() if before[pair] != state)
    if not changed:
        return
    closed = [symbol for session_date, symbol in changed if states[session_date, symbol] == CLOSED]
    facts = {
        "dataset": dataset,
        "opened": len(changed) - len(closed),
        "closed": len(closed),
        "closed_symbols": sorted(set(closed)),
    }
    append_event(connection, Topic.GATES_CHANGED, facts, changed[0][0], changed[-1][0])


def read_gates(
    connection: psycopg.Connection,
    dataset: str,
    sessions: Sequence[date],
    symbols: Sequence[str],
    *,
    for_share: bool = False,
) -> dict[tuple[date, str], str]:
    """State by (session, symbol) for every pair asked for; a pair without a row is closed.

    `for_share`: the rows stay as they are until the transaction ends, for the transaction that submits orders.
    """
    query = (
        "select session_date, symbol, state from ops.quality_gates "
        "where dataset = %s and session_date = any(%s) and symbol = any(%s)"
    )
    rows = connection.execute(query + " for share" if for_share else query, (dataset, list(sessions), list(symbols)))
    states = {(session_date, symbol): CLOSED for session_date in sessions for symbol in symbols}
    return states | {(session_date, symbol): state for session_date, symbol, state in rows}


def closed_gates(
    connection: psycopg.Connection, dataset: str, first: date, last: date
) -> dict[tuple[date, str], list[str]]:
    """Failing checks of the closed gates of the sessions first..last, by (session, symbol)."""
    rows = connection.execute(
        "select session_date, symbol, failing_checks from ops.quality_gates "
        "where dataset = %s and session_date between %s and %s and state = 'closed'",
        (dataset, first, last),
    )
    return {(session_date, symbol): checks for session_date, symbol, checks in rows}


def stored_bars(database: Database, first: date, last: date) -> pd.DataFrame:
    """The newest version of every bar of the sessions first..last, columns BAR_COLUMNS, future bars included."""
    return database.frame(
        """
        select distinct on (symbol, timeframe, ts)
               symbol, timeframe, ts, closes_at, session_date, open, high, low, close, volume, source
        from market.bars
        where session_date between %(first)s and %(last)s
        order by symbol, timeframe, ts, version desc
        """,
        first=first,
        last=last,
    )


def known_actions(database: Database, first: date, last: date) -> pd.DataFrame:
    """What a price must show of the actions with an ex-date in first..last, in the newest version of each.

    Columns symbol, ex_date, kind (split: the shares became more or fewer; cash_dividend: value left them), split_ratio
    and amount_usd, of which one is filled.
    """
    return database.frame(
        """
        select symbol, ex_date, 'split' as kind, own_shares as split_ratio, null::float8 as amount_usd
        from market.price_effects
        where own_shares <> 1 and ex_date between %(first)s and %(last)s
        union all
        select symbol, ex_date, 'cash_dividend', null, value_usd
        from market.price_effects
        where value_usd <> 0 and ex_date between %(first)s and %(last)s
        """,
        first=first,
        last=last,
    )


def first_stored_sessions(
    connection: psycopg.Connection, symbols: Sequence[str], timeframes: Sequence[str]
) -> dict[tuple[str, str], date]:
    """Session of the first stored bar by (symbol, timeframe), for those that have one."""
    rows = connection.execute(
        """
        select symbol, timeframe, first_bar.session_date
        from unnest(%s::text[]) as symbol
        cross join unnest(%s::text[]) as timeframe
        cross join lateral (
            select session_date from market.bars as bar
            where bar.symbol = symbol.symbol and bar.timeframe = timeframe.timeframe
            order by ts limit 1
        ) as first_bar
        """,
        (list(symbols), list(timeframes)),
    )
    return {(symbol, timeframe): session_date for symbol, timeframe, session_date in rows}


def known_symbols(connection: psycopg.Connection) -> frozenset[str]:
    """Symbols of all stored instruments."""
    return frozenset(symbol for (symbol,) in connection.execute("select symbol from market.instruments"))


def stored_sessions(connection: psycopg.Connection) -> tuple[date, date] | None:
    """First and last session with a stored bar; None without any."""
    row = connection.execute("select min(session_date), max(session_date) from market.bars").fetchone()
    return (row[0], row[1]) if row and row[0] else None


def record_validation(
    connection: psycopg.Connection,
    run_id: str,
    suite: Suite,
    first: date,
    last: date,
    validated_at: datetime,
    outcomes: Sequence[ExpectationOutcome],
) -> None:
    """Keep what Great Expectations answered, one row a check (ops.validations). Told twice, it is kept once."""
    sessions = (first, last) if suite.is_by_session else (None, None)
    connection.cursor().executemany(
        "insert into ops.validations (run_id, suite, check_name, dataset, severity, is_blocking, first_session, "
        "last_session, passed, unexpected_count, observed, error, offenders, validated_at) "
        "values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) on conflict do nothing",
        [
            (
                run_id,
                suite.name,
                outcome.name,
                suite.dataset,
                str(outcome.expectation.severity),
                outcome.expectation.blocking,
                *sessions,
                outcome.passed,
                outcome.unexpected_count,
                outcome.observed,
                outcome.error,
                Jsonb([dict(offender) for offender in outcome.offenders]),
                validated_at,
            )
            for outcome in outcomes
        ],
    )
