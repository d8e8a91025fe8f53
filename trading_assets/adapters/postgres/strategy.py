"""The schema `strategy`: indicators (one column each), signals and targets. Every store may be repeated."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from trading_assets.adapters.errors import ContractBroken
from trading_assets.adapters.postgres.database import Database, Table, merge
from trading_assets.domain.strategy.indicators import Indicator
from trading_assets.domain.strategy.strategy import ConfiguredStrategy
from trading_assets.domain.strategy.targets import TARGET_COLUMNS, Target, target_of
from trading_assets.domain.values import Timeframe

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

INDICATOR_KEY = ("symbol", "timeframe", "ts")
DECISION_KEY = ("strategy", "strategy_version", "symbol", "decision_at")

SIGNALS = Table("strategy.signals", DECISION_KEY, ("timeframe", "session_date", "signal", "reason", "leg_group"))
TARGETS = Table("strategy.targets", DECISION_KEY, tuple(name for name in TARGET_COLUMNS if name not in DECISION_KEY))


# Indicators ---------------------------------------------------------------------------------------


def store_indicators(
    database: Database, bars: pd.DataFrame, values: pd.DataFrame, indicators: Sequence[Indicator]
) -> int:
    """Store the `indicators` of `bars`, row for row in `values` (indicators.compute); returns the rows written.

    A column appears in strategy.indicators when its indicator is first stored. NaN (warming up) is stored as NaN, so
    that null keeps its meaning: not computed yet.
    """
    columns = [indicator.column for indicator in indicators]
    described = (*INDICATOR_KEY, "closes_at", "session_date")
    table = Table("strategy.indicators", INDICATOR_KEY, ("closes_at", "session_date", *columns))
    frame = bars[list(described)].assign(**{name: values[name] for name in columns})
    with database.transaction() as connection:
        _add_columns(connection, indicators)
        return merge(connection, table, list(frame.columns), _rows(frame))


def _add_columns(connection: psycopg.Connection, indicators: Sequence[Indicator]) -> None:
    # Asked first, because `alter table` locks out every reader even when the column exists.
    existing = _columns(connection)
    for indicator in indicators:
        if indicator.column in existing:
            continue
        description = f"{indicator.description}; NaN while warming up, null where it was not computed yet."
        connection.execute("select strategy.add_indicator(%s, %s)", (indicator.column, description))


def indicators(
    database: Database, names: Sequence[str], symbols: Sequence[str], timeframe: Timeframe, first: date, last: date
) -> pd.DataFrame:
    """symbol, ts, closes_at, session_date, is_computed and one float column a name, by symbol and ts.

    `is_computed` is false where one of the `names` was not computed yet. Raises ContractBroken for an unknown name.
    """
    if unknown := _unknown_columns(database, names):
        raise ContractBroken(
            f"strategy.indicators has no column {', '.join(unknown)}: materialise strategy/indicators first."
        )
    columns = [sql.Identifier(name) for name in names]
    conditions = [sql.SQL("true"), *(sql.SQL("{} is not null").format(column) for column in columns)]
    query = sql.SQL(
        "select symbol, ts, closes_at, session_date, {is_computed} as is_computed{columns} from strategy.indicators "
        "where symbol = any(%(symbols)s) and timeframe = %(timeframe)s "
        'and session_date between %(first)s and %(last)s order by symbol collate "C", ts'
    ).format(
        is_computed=sql.SQL(" and ").join(conditions),
        columns=sql.SQL("").join(sql.SQL(", {}").format(column) for column in columns),
    )
    return database.frame(query, symbols=list(symbols), timeframe=timeframe.value, first=first, last=last)


def indicators_of(
    database: Database, bars: pd.DataFrame, declared: Sequence[Indicator], timeframe: Timeframe
) -> pd.DataFrame:
    """The stored values of the `declared` indicators, row for row with `bars` (by symbol and ts).

    Raises ContractBroken when a bar's indicators were not computed: deciding on half of them would be worse.
    """
    names = [indicator.column for indicator in declared]
    stored = _stored_for(database, bars, names, timeframe)
    is_missing = ~stored["is_computed"].to_numpy(dtype=bool)
    if is_missing.any():
        gap = bars[is_missing]
        raise ContractBroken(
            f"strategy.indicators lacks {', '.join(names) or 'rows'} for {len(gap)} of {len(bars)} bars, "
            f"the first is {gap['symbol'].iloc[0]} {gap['ts'].iloc[0]}: "
            f"materialise strategy/indicators for {gap['session_date'].min()} to {gap['session_date'].max()} first."
        )
    return stored[names].astype("float64")


def is_computed(
    database: Database, bars: pd.DataFrame, declared: Sequence[Indicator], timeframe: Timeframe
) -> npt.NDArray[np.bool_]:
    """For each of `bars` whether all the `declared` indicators are stored."""
    names = [indicator.column for indicator in declared]
    return _stored_for(database, bars, names, timeframe)["is_computed"].to_numpy(dtype=bool)


def _stored_for(database: Database, bars: pd.DataFrame, names: Sequence[str], timeframe: Timeframe) -> pd.DataFrame:
    if bars.empty or _unknown_columns(database, names):
        return bars[["symbol", "ts"]].assign(is_computed=False, **dict.fromkeys(names, float("nan")))
    first, last = bars["session_date"].min(), bars["session_date"].max()
    stored = indicators(database, names, sorted(set(bars["symbol"])), timeframe, first, last)
    found = bars[["symbol", "ts"]].merge(stored, "left", ["symbol", "ts"])
    return found.assign(is_computed=found["is_computed"].eq(True))


def _unknown_columns(database: Database, names: Sequence[str]) -> list[str]:
    with database.transaction() as connection:
        existing = _columns(connection)
    return [name for name in names if name not in existing]


def _columns(connection: psycopg.Connection) -> set[str]:
    return {
        row[0]
        for row in connection.execute(
            "select column_name from information_schema.columns "
            "where table_schema = 'strategy' and table_name = 'indicators'"
        )
    }


def lookback_start(database: Database, symbols: Sequence[str], timeframe: Timeframe, first: date, memory: int) -> date:
    """The session from which every symbol has its last `memory` bars before session `first`, or all that it has."""
    with database.transaction() as connection:
        row = connection.execute(
            "select min(earlier.session_date) from unnest(%(symbols)s::text[]) as wanted(symbol) "
            "cross join lateral (select session_date from market.bars as bar where bar.symbol = wanted.symbol "
            "and timeframe = %(timeframe)s and version = 1 "
            "and ts < %(first)s::date::timestamp at time zone 'America/New_York' "
            "order by ts desc limit %(memory)s) as earlier",
            {"symbols": list(symbols), "timeframe": timeframe.value, "first": first, "memory": memory},
        ).fetchone()
    earliest: date | None = row[0] if row else None
    return earliest or first


def later_knowledge(database: Database, symbols: Sequence[str], after: datetime, until: datetime) -> list[datetime]:
    """When, in (after, until], a restated bar or corporate action of the `symbols` became known; in order."""
    with database.transaction() as connection:
        rows = connection.execute(
            "select known_at from market.bars where version > 1 and symbol = any(%(symbols)s) "
            "and known_at > %(after)s and known_at <= %(until)s union "
            "select known_at from market.corporate_actions where version > 1 and symbol = any(%(symbols)s) "
            "and known_at > %(after)s and known_at <= %(until)s order by known_at",
            {"symbols": list(symbols), "after": after, "until": until},
        ).fetchall()
    return [known_at.astimezone(UTC) for (known_at,) in rows]


# Signals and targets ------------------------------------------------------------------------------


def store_signals(
    database: Database,
    configured: ConfiguredStrategy,
    signals: pd.DataFrame,
    universe: Sequence[str],
    first: date,
    last: date,
) -> int:
    """Store the strategy's signals (SIGNAL_COLUMNS) of the sessions first..last; returns the rows changed.

    Rows of symbols outside the `universe` go: a symbol that left it must not keep decisions of an earlier run.
    """
    frame = signals.rename(columns={"closes_at": "decision_at"}).drop(columns="ts")
    frame = frame.assign(
        strategy=configured.name, strategy_version=configured.version, timeframe=configured.timeframe.value
    )
    with database.transaction() as connection:
        written = merge(connection, SIGNALS, list(frame.columns), _rows(frame))
        return written + _delete_other_symbols(connection, SIGNALS, [configured], universe, first, last)


def store_targets(
    database: Database,
    configured: Sequence[ConfiguredStrategy],
    targets: pd.DataFrame,
    universe: Sequence[str],
    first: date,
    last: date,
) -> int:
    """Store the strategies' targets (TARGET_COLUMNS) of the sessions first..last; as store_signals."""
    measured = targets[["volatility_pct", "atr_usd"]].astype(object)
    frame = targets[list(TARGET_COLUMNS)].assign(**measured.where(measured.notna(), None))
    with database.transaction() as connection:
        written = merge(connection, TARGETS, list(frame.columns), _rows(frame))
        return written + _delete_other_symbols(connection, TARGETS, configured, universe, first, last)


def _delete_other_symbols(
    connection: psycopg.Connection,
    table: Table,
    configured: Sequence[ConfiguredStrategy],
    universe: Sequence[str],
    first: date,
    last: date,
) -> int:
    return connection.execute(
        sql.SQL(
            "delete from {} where (strategy, strategy_version) in (select * from unnest(%s::text[], %s::text[])) "
            "and session_date between %s and %s and symbol <> all(%s::text[])"
        ).format(table.identifier),
        ([one.name for one in configured], [one.version for one in configured], first, last, list(universe)),
    ).rowcount


def signals_between(
    database: Database, configured: Sequence[ConfiguredStrategy], symbols: Sequence[str], first: date, last: date
) -> pd.DataFrame:
    """The signals of these strategies' present versions, by key: STORED_SIGNAL_COLUMNS, `reason` and `leg_group`.

    Raises ContractBroken when a bar with indicators has no signal of a strategy.
    """
    scope = {
        "strategies": [one.name for one in configured],
        "versions": [one.version for one in configured],
        "timeframes": [one.timeframe.value for one in configured],
        "symbols": list(symbols),
        "first": first,
        "last": last,
    }
    with database.transaction() as connection:
        gap = connection.execute(
            "select wanted.strategy, wanted.strategy_version, bar.symbol, bar.session_date "
            "from unnest(%(strategies)s::text[], %(versions)s::text[], %(timeframes)s::text[]) "
            "as wanted(strategy, strategy_version, timeframe) "
            "join strategy.indicators as bar on bar.timeframe = wanted.timeframe "
            "left join strategy.signals as signal on signal.strategy = wanted.strategy "
            "and signal.strategy_version = wanted.strategy_version and signal.symbol = bar.symbol "
            "and signal.decision_at = bar.closes_at "
            "where bar.session_date between %(first)s and %(last)s and bar.symbol = any(%(symbols)s) "
            "and signal.strategy is null order by bar.session_date, wanted.strategy, bar.symbol limit 1",
            scope,
        ).fetchone()
    if gap:
        strategy, version, symbol, session_date = gap
        raise ContractBroken(
            f"Strategy {strategy} ({version}) has no signal for {symbol} in session {session_date}: "
            f"materialise strategy/signals_{strategy} for {first} to {last} first."
        )
    return database.frame(
        "select signals.strategy, signals.strategy_version, symbol, decision_at, session_date, signal, reason, "
        "leg_group "
        "from strategy.signals join unnest(%(strategies)s::text[], %(versions)s::text[]) "
        "as wanted(strategy, strategy_version) using (strategy, strategy_version) "
        "where session_date between %(first)s and %(last)s and symbol = any(%(symbols)s) "
        'order by strategy collate "C", decision_at, symbol collate "C"',
        **{name: value for name, value in scope.items() if name != "timeframes"},
    )


def targets_between(database: Database, versions: Mapping[str, str], first: date, last: date) -> list[Target]:
    """The targets of the sessions first..last, by decision time, strategy and symbol.

    `versions` says which version of which strategy: {configured.name: configured.version}.
    """
    with database.transaction() as connection:
        rows = connection.execute(
            "select strategy, strategy_version, symbol, decision_at, session_date, target_weight, atr_usd, "
            "volatility_pct, leg_group "
            "from strategy.targets join unnest(%s::text[], %s::text[]) as wanted(strategy, strategy_version) "
            "using (strategy, strategy_version) where session_date between %s and %s "
            'order by decision_at, strategy collate "C", symbol collate "C"',
            (list(versions), list(versions.values()), first, last),
        ).fetchall()
    return [
        target_of(strategy, version, symbol, decision_at.astimezone(UTC), *facts)
        for strategy, version, symbol, decision_at, *facts in rows
    ]


def _rows(frame: pd.DataFrame) -> Iterable[tuple[Any, ...]]:
    """The rows of `frame` as plain Python values, which the driver dumps faster than numpy's and pandas' own."""
    return zip(*(_values(frame[name]) for name in frame.columns), strict=True)


def _values(column: pd.Series[Any]) -> list[Any]:
    import pandas as pd

    if isinstance(column.dtype, pd.DatetimeTZDtype):
        return list(column.dt.to_pydatetime())
    if isinstance(column.dtype, pd.StringDtype):
        # A text that is not there is NaN to pandas.
        return column.astype(object).where(column.notna(), None).tolist()
    return column.tolist()
