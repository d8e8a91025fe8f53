"""What the suites beside the one of bars judge, each read as one frame. What the columns must be lives in `quality`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING

from trading_assets.adapters.postgres.database import Database

if TYPE_CHECKING:
    import pandas as pd
    import psycopg


def session_counts(database: Database, first: date, last: date) -> pd.DataFrame:
    """How many bars a series has in each session of first..last, and how many of them in a later version than one."""
    return database.frame(
        """
        select session_date, symbol, timeframe,
               count(*) filter (where version = 1) as bar_count,
               count(distinct ts) filter (where version > 1) as restated_count
        from market.bars
        where session_date between %(first)s and %(last)s
        group by session_date, symbol, timeframe
        """,
        first=first,
        last=last,
    )


def newest_closes(
    connection: psycopg.Connection, symbols: Sequence[str], timeframes: Sequence[str], last: date
) -> dict[tuple[str, str], datetime]:
    """End of the newest stored bar of a session up to `last`, by (symbol, timeframe), for those that have one."""
    rows = connection.execute(
        """
        select symbol, timeframe, newest_bar.closes_at
        from unnest(%s::text[]) as symbol
        cross join unnest(%s::text[]) as timeframe
        cross join lateral (
            select closes_at from market.bars as bar
            where bar.symbol = symbol.symbol and bar.timeframe = timeframe.timeframe and bar.session_date <= %s
            order by ts desc limit 1
        ) as newest_bar
        """,
        (list(symbols), list(timeframes), last),
    )
    return {(symbol, timeframe): closes_at for symbol, timeframe, closes_at in rows}


def judged_instruments(database: Database, universe: Sequence[str], today: date) -> pd.DataFrame:
    """The symbols of the universe, known or not, and all other symbols of today.

    is_active is empty for symbols that nobody wants to trade; spelling is the symbol without case and punctuation.
    """
    return database.frame(
        """
        select symbol, known.symbol is not null as is_known,
               case when symbol = any(%(universe)s::text[])
                   then known.is_tradable and coalesce(known.last_session >= %(today)s::date, true) end as is_active,
               known.currency, known.asset_class,
               upper(regexp_replace(symbol, '[^A-Za-z0-9]', '', 'g')) as spelling
        from (
            select unnest(%(universe)s::text[]) as symbol
            union
            select symbol from market.instruments where coalesce(last_session >= %(today)s::date, true)
        ) as wanted
        left join market.instruments as known using (symbol)
        order by symbol
        """,
        universe=list(universe),
        today=today,
    )


def judged_actions(database: Database) -> pd.DataFrame:
    """The newest version of every corporate action; days_since_same counts from the one before of its kind and size."""
    return database.frame(
        """
        select symbol, ex_date, kind, distributed_symbol, split_ratio, amount_usd, pay_date,
               ex_date - lag(ex_date) over (
                   partition by symbol, kind, distributed_symbol, split_ratio, share_ratio, amount_usd order by ex_date
               ) as days_since_same
        from (
            select distinct on (symbol, ex_date, kind, distributed_symbol) *
            from market.corporate_actions
            order by symbol, ex_date, kind, distributed_symbol, version desc
        ) as newest
        order by symbol, ex_date, kind, distributed_symbol
        """
    )


def judged_financials(database: Database) -> pd.DataFrame:
    """The newest version of every reported figure; counts_on is the first day (UTC) it was filed, seen or used."""
    return database.frame(
        """
        select distinct on (symbol, statement, item, months, period_end)
               symbol, statement, item, months, period_end, currency,
               (least(filed_at, known_at, counts_from) at time zone 'UTC')::date as counts_on,
               amount not in ('NaN', 'Infinity', '-Infinity') as is_finite,
               symbol in (select symbol from market.instruments) as is_known_symbol
        from market.financials
        order by symbol, statement, item, months, period_end, version desc
        """
    )


def judged_fundamentals(database: Database) -> pd.DataFrame:
    """The newest version of every observed fact."""
    return database.frame(
        """
        select distinct on (symbol, topic, item)
               symbol, topic, item, trim(text) <> '' as has_value,
               symbol in (select symbol from market.instruments) as is_known_symbol
        from market.fundamentals
        order by symbol, topic, item, version desc
        """
    )
