"""Schema `market`: years of bars packed into one row each (market.bar_histories), and reading bars through them.

The packed years are a cache. Which of them a read may use is decided in its query, in one snapshot with the rows that
it reads for the others; whoever stores bars deletes the years he changes, and a trigger deletes all for anybody else.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from trading_assets.adapters.postgres.database import Database
from trading_assets.domain.market.bars import BAR_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd
    import psycopg
    import pyarrow as pa
    from numpy.typing import NDArray

# Each row a symbol and a year of it that may have bars between begin_at and end_at.
YEARS = """
    select wanted.symbol, wanted.timeframe, spans.first, spans.last, year,
           greatest(make_timestamptz(year, 1, 1, 0, 0, 0, 'UTC'), %(begin)s::timestamptz) as begin_at,
           least(make_timestamptz(year + 1, 1, 1, 0, 0, 0, 'UTC'), %(end)s::timestamptz) as end_at
    from (select distinct symbol, timeframe
          from unnest(%(symbols)s::text[]) as symbol, unnest(%(timeframes)s::text[]) as timeframe) as wanted
    cross join lateral (
        select extract(year from greatest(min(ts), %(begin)s::timestamptz) at time zone 'UTC')::integer as first,
               extract(year from least(max(ts), %(end)s::timestamptz) at time zone 'UTC')::integer as last
        from market.bars as bar where bar.symbol = wanted.symbol and bar.timeframe = wanted.timeframe
        having min(ts) is not null
    ) as spans
    cross join lateral generate_series(spans.first, spans.last) as year
"""
# What is known of one such year at a time, as one row of arrays; no row when nothing is.
PACKED = """
    select array_agg(ts) as ts, array_agg(closes_at) as closes_at, array_agg(session_date) as session_date,
           array_agg(open) as open, array_agg(high) as high, array_agg(low) as low, array_agg(close) as close,
           array_agg(volume) as volume,
           case when min(source) = max(source) then min(source) end as source,
           case when min(source) <> max(source) then array_agg(source) end as sources
    from (
        select * from market.bars_as_of(%(knowledge_time)s) as known
        where known.symbol = years.symbol and known.timeframe = years.timeframe
        and known.ts >= years.begin_at and known.ts < years.end_at
        order by known.ts
    ) as bars
    having count(*) > 0
"""
ARRAYS = ("ts", "closes_at", "session_date", "open", "high", "low", "close", "volume")


def read_bars(
    database: Database, knowledge_time: datetime, symbols: Sequence[str], timeframe: str, begin: datetime, end: datetime
) -> pd.DataFrame:
    """The rows of market.bars_as_of(knowledge_time) with begin <= ts < end, UTC: BAR_COLUMNS, by symbol and ts."""
    packed = database.arrow(
        f"""
        with years as materialized ({YEARS}),
        settled as (
            select years.symbol, years.year, {", ".join(f"h.{name}" for name in ARRAYS)}, h.source, h.sources
            from years join market.bar_histories as h using (symbol, timeframe, year)
            where h.settled_at <= %(knowledge_time)s
        ),
        unsettled as (
            select years.symbol, years.year, {", ".join(f"packed.{name}" for name in ARRAYS)},
                   packed.source, packed.sources
            from years cross join lateral ({PACKED}) as packed
            where not exists (
                select from market.bar_histories as h
                where h.symbol = years.symbol and h.timeframe = years.timeframe and h.year = years.year
                and h.settled_at <= %(knowledge_time)s
            )
        )
        select * from settled union all select * from unsettled order by symbol, year
        """,  # noqa: S608  put together from the constants above
        knowledge_time=knowledge_time,
        symbols=list(symbols),
        timeframes=[str(timeframe)],
        begin=begin,
        end=end,
    )
    return _unpacked(packed, str(timeframe), begin, end)


def pack_histories(database: Database, symbols: Sequence[str], timeframes: Sequence[str]) -> int:
    """Pack the years that are not packed yet; returns how many. Does nothing while somebody stores bars.

    A symbol's newest year stays as rows, because it still grows.
    """
    with database.transaction() as connection:
        # The next statement sees what its holder has committed, and nobody stores bars until this one has.
        row = connection.execute("select pg_try_advisory_xact_lock(hashtext('market.bars'))").fetchone()
        if row is None or not row[0]:
            return 0
        return connection.execute(
            f"""
            insert into market.bar_histories
            select years.symbol, years.timeframe, years.year, settled.at, packed.*
            from ({YEARS}) as years
            cross join lateral (
                select greatest(max(closes_at), max(known_at) filter (where version > 1)) as at from market.bars as bar
                where bar.symbol = years.symbol and bar.timeframe = years.timeframe
                and bar.ts >= years.begin_at and bar.ts < years.end_at
            ) as settled
            cross join lateral ({PACKED}) as packed
            where years.year < years.last
            and not exists (
                select from market.bar_histories as h
                where h.symbol = years.symbol and h.timeframe = years.timeframe and h.year = years.year
            )
            """,  # noqa: S608  put together from the constants above
            {
                "knowledge_time": "infinity",
                "symbols": list(symbols),
                "timeframes": [str(timeframe) for timeframe in timeframes],
                "begin": "-infinity",
                "end": "infinity",
            },
        ).rowcount


@contextmanager
def forgetting_changed_years(connection: psycopg.Connection) -> Iterator[None]:
    """Tell the trigger that bars inserted in the block are followed by `forget` for their years."""
    connection.execute("select set_config('trading.forgets_histories', 'by_itself', true)")
    yield
    connection.execute("select set_config('trading.forgets_histories', '', true)")


def forget(connection: psycopg.Connection, changed: Sequence[tuple[str, str, int]]) -> None:
    """Delete the packed years of `changed`: (symbol, timeframe, year of ts in UTC)."""
    symbols, timeframes, years = (list(column) for column in zip(*changed, strict=True)) if changed else ([], [], [])
    connection.execute(
        "delete from market.bar_histories using unnest(%s::text[], %s::text[], %s::integer[]) "
        "as changed(symbol, timeframe, year) where bar_histories.symbol = changed.symbol "
        "and bar_histories.timeframe = changed.timeframe and bar_histories.year = changed.year",
        (symbols, timeframes, years),
    )


def _unpacked(packed: pa.Table, timeframe: str, begin: datetime, end: datetime) -> pd.DataFrame:
    """A table of arrays as a frame of bars; years that reach over `begin` or `end` are cut."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    counts = pc.list_value_length(packed["ts"]).to_numpy()
    years = pa.array(np.repeat(np.arange(packed.num_rows), counts))
    sources = packed["source"].take(years).combine_chunks()
    is_mixed = packed["sources"].is_valid().take(years).combine_chunks()
    flat = {name: pc.list_flatten(packed[name]) for name in ARRAYS}
    flat["symbol"] = packed["symbol"].take(years)
    flat["timeframe"] = pa.repeat(timeframe, len(years))
    flat["source"] = pc.replace_with_mask(sources, is_mixed, pc.list_flatten(packed["sources"]).combine_chunks())
    days = flat.pop("session_date")
    frame: pd.DataFrame = pa.table({name: flat[name] for name in BAR_COLUMNS if name in flat}).to_pandas()
    frame.insert(BAR_COLUMNS.index("session_date"), "session_date", _dates(days))
    is_wanted = (frame["ts"] >= begin) & (frame["ts"] < end)
    if is_wanted.all():
        return frame
    return frame[is_wanted].reset_index(drop=True)


def _dates(days: pa.ChunkedArray) -> NDArray[Any]:
    """The days as datetime.date, one object for all bars of a day: making one each would take longer than the rest."""
    import numpy as np

    numbers = days.cast("int32").to_numpy()
    if not len(numbers):
        return np.empty(0, dtype=object)
    first = numbers.min()
    calendar = np.arange(first, numbers.max() + 1).astype("datetime64[D]").astype(object)
    dates: NDArray[Any] = calendar[numbers - first]
    return dates
