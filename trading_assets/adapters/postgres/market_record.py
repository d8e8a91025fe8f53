"""Reads what backtests need from the database, once for many of them (domain/backtest.py)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from trading_assets.adapters.account_terms import rules_of
from trading_assets.adapters.errors import NotFound
from trading_assets.adapters.isolation import lead_strategy, signal_limits
from trading_assets.adapters.plugins import find_strategies
from trading_assets.adapters.postgres.corporate_actions import actions_as_of
from trading_assets.adapters.postgres.instruments import sector_facts
from trading_assets.adapters.postgres.limits import limit_changes
from trading_assets.adapters.postgres.market import bars_as_of
from trading_assets.adapters.postgres.proofs import stored_facts
from trading_assets.adapters.postgres.recorded_tape import read_tape
from trading_assets.adapters.postgres.standings import read_standings
from trading_assets.adapters.postgres.strategy import later_knowledge, lookback_start
from trading_assets.domain.backtest import KnownBars, MarketRecord, market_history
from trading_assets.domain.market.adjust import point_in_time_factors
from trading_assets.domain.market.sessions import newest_session, previous_session, session, sessions_between
from trading_assets.domain.risk.market_view import MarketHistory, market_timeframe
from trading_assets.domain.strategy.knowledge import Part, parts
from trading_assets.domain.strategy.portfolio import Sectors
from trading_assets.domain.strategy.stateful import StatefulStrategy
from trading_assets.domain.tape import regime_sessions

ALL_BARS = 2**31 - 1

if TYPE_CHECKING:
    from trading_assets.adapters.postgres.database import Database
    from trading_assets.domain.values import Timeframe
    from trading_assets.settings import TradingSettings


def read_market_record(
    database: Database,
    settings: TradingSettings,
    first: date,
    last: date,
    now: datetime,
    others: Sequence[TradingSettings] = (),
) -> MarketRecord:
    """The stored bars of the universe for the sessions first..last that are over, as known at `now` (UTC).

    It is what `settings` read, and `others` of the same universe. Raises NotFound when no session of the range is over.
    """
    tried = [settings, *others]
    newest = newest_session(now)
    days = sessions_between(first, min(last, newest if session(newest).closes_at <= now else previous_session(newest)))
    if not days:
        raise NotFound(f"There is no trading session from {first} to {last} that is over.")
    with database.transaction() as connection:
        earlier = max(regime_sessions(rules_of(one).breakers) for one in tried)
        standings = read_standings(connection, settings)
        tape = read_tape(database, connection, settings.universe, days[0], days[-1], now, standings, earlier)
        changes = limit_changes(connection, settings.broker.kind)
    has_state = _keeps_state(tried)
    return MarketRecord(
        first=days[0],
        last=days[-1],
        now=now,
        members=settings.members,
        known={
            timeframe: _known_bars(database, settings.universe, timeframe, days[0], days[-1], now, has_state)
            for timeframe in sorted({section.timeframe for one in tried for section in one.strategies.values()})
        },
        tape=tape,
        sectors=Sectors(sector_facts(database, settings.universe)),
        facts_of=lambda strategy, part: stored_facts(database, strategy, settings.members, part.knowledge_time),
        limit_changes=[one for one in changes if one.counts_from and one.counts_from <= session(days[-1]).closes_at],
        lead=partial(lead_strategy, signal_limits(settings)),
    )


def read_market_history(
    database: Database, settings: TradingSettings, first: date, last: date, now: datetime, with_shorts: bool
) -> MarketHistory:
    """What risk limits, and `with_shorts` short sales, may ask of the sessions before each decision of first..last, as
    a backtest would know it."""
    traded = sorted({one.timeframe for one in settings.strategies.values()})
    timeframe = market_timeframe(traded)
    restated = later_knowledge(database, settings.universe, session(first).opens_at, session(last).closes_at)
    sectors = Sectors(sector_facts(database, settings.universe))
    known = (
        (of, _known(database, settings.universe, of, one))
        for of in (traded if with_shorts else [timeframe])
        for one in parts(first, last, of, restated, now)
    )
    return market_history(known, timeframe, sectors, with_shorts)


def traded_sessions(database: Database, settings: TradingSettings) -> tuple[date, date] | None:
    """The first and the last session with a stored bar that a strategy decides on; None without any."""
    used = sorted({one.timeframe.value for one in settings.strategies.values()})
    with database.transaction() as connection:
        row = connection.execute(
            "select min(first_bar.session_date), max(last_bar.session_date) "
            "from unnest(%s::text[]) as symbol cross join unnest(%s::text[]) as timeframe "
            "cross join lateral (select session_date from market.bars as bar where bar.symbol = symbol.symbol "
            "and bar.timeframe = timeframe.timeframe order by ts limit 1) as first_bar "
            "cross join lateral (select session_date from market.bars as bar where bar.symbol = symbol.symbol "
            "and bar.timeframe = timeframe.timeframe order by ts desc limit 1) as last_bar",
            (list(settings.universe), used),
        ).fetchone()
    return (row[0], row[1]) if row and row[0] else None


def _keeps_state(tried: Sequence[TradingSettings]) -> bool:
    """Whether any strategy of the settings has a state. Raises PluginError."""
    catalogue = find_strategies(tried[0])
    names = sorted({name for one in tried for name in one.strategies})
    return any(issubclass(catalogue.chosen(name).load(), StatefulStrategy) for name in names)


def _known_bars(
    database: Database,
    universe: Sequence[str],
    timeframe: Timeframe,
    first: date,
    last: date,
    now: datetime,
    has_state: bool,
) -> list[KnownBars]:
    """One element a part of the sessions; the parts before `first` only where a strategy has a state to bring along."""
    begin = lookback_start(database, universe, timeframe, first, ALL_BARS) if has_state else first
    ranges = [(begin, previous_session(first)), (first, last)] if begin < first else [(first, last)]
    known = []
    for start, end in ranges:
        restated = later_knowledge(database, universe, session(start).opens_at, session(end).closes_at)
        known += [_known(database, universe, timeframe, one) for one in parts(start, end, timeframe, restated, now)]
    return known


def _known(database: Database, universe: Sequence[str], timeframe: Timeframe, part: Part) -> KnownBars:
    bars = bars_as_of(database, part.knowledge_time, universe, timeframe, last=part.last)
    actions = actions_as_of(database, part.knowledge_time, universe)
    return KnownBars(part, bars, point_in_time_factors(bars, actions), actions)


def data_hash(record: MarketRecord) -> str:
    """64 hex digits over all bars, actions, gates and changed limits in `record`: another hash, other data."""
    digest = hashlib.sha256()
    for timeframe, known in sorted(record.known.items()):
        for one in known:
            digest.update(repr((timeframe.value, one.part.after)).encode())
            digest.update("\n".join(one.bars["symbol"]).encode())
            digest.update(one.bars["ts"].to_numpy(dtype="datetime64[us]").tobytes())
            digest.update(np.ascontiguousarray(one.bars[["open", "high", "low", "close", "volume"]]).tobytes())
            digest.update(np.ascontiguousarray(one.factors).tobytes())
    tape = record.tape
    gates = {day: sorted(states.items()) for day, states in tape.gates.items()}
    parts_of_tape: list[Mapping[Any, Any]] = [tape.bars, tape.actions, gates]
    for facts in parts_of_tape:
        for key in sorted(facts):
            digest.update(repr((key, facts[key])).encode())
    digest.update(repr(sorted(tape.standings.spans)).encode())
    for change in record.limit_changes:
        digest.update(repr((change.name, change.value, change.counts_from)).encode())
    return digest.hexdigest()
