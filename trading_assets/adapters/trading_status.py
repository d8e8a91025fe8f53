"""Reads what restricts trading now: states, breakers, protections, gates, the age of the data, and what waits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from trading_assets.adapters.account_terms import rules_of
from trading_assets.adapters.postgres import ledger, reviews
from trading_assets.adapters.postgres.breakers import tripped_breakers
from trading_assets.adapters.postgres.market import BARS_DATASET
from trading_assets.adapters.postgres.quality import read_gates
from trading_assets.adapters.postgres.restrictions import restrictions
from trading_assets.adapters.postgres.strategy_states import state_events
from trading_assets.adapters.postgres.trading_states import state_changes
from trading_assets.domain import simulation
from trading_assets.domain.market.sessions import latest_closed_bar, newest_session
from trading_assets.domain.market.universe import members_on
from trading_assets.domain.risk.status import (
    Restriction,
    TrippedBreaker,
    of_breakers,
    of_data,
    of_gates,
    of_lists,
    of_locks,
    of_states,
)
from trading_assets.domain.risk.trading_states import concerning, in_force, states_of
from trading_assets.domain.strategy.states import StrategyStatus, event_in_force, status_at

if TYPE_CHECKING:
    import psycopg

    from trading_assets.settings import TradingSettings


@dataclass(frozen=True, slots=True)
class TradingStatus:
    """`facts` are names with texts: the account, the data's age, what waits to be sent."""

    restrictions: Sequence[Restriction]
    facts: Mapping[str, str]


def trading_status(connection: psycopg.Connection, settings: TradingSettings, now: datetime) -> TradingStatus:
    """What restricts the account of the configuration at `now` (UTC)."""
    opened = ledger.accounts(connection, settings.fingerprint())
    account_id = opened[-1].account_id if opened else ""
    changes = state_changes(connection)
    expected = max(latest_closed_bar(now, timeframe).closes_at for timeframe in settings.timeframes)
    newest = _newest_close(connection, settings, now)
    tripped = tripped_breakers(connection, account_id, now).values()
    waiting = [one for _, one in reviews.unsent_approvals(connection, account_id) if one.expires_at >= now]
    return TradingStatus(
        restrictions=[
            *of_states(in_force(concerning(changes, account_id))),
            *of_breakers(TrippedBreaker(one.breaker, one.at, one.cause) for one in tripped),
            *of_data(newest, expected),
            *of_gates(_gates(connection, settings, expected)),
            *of_lists(restrictions(connection), settings.risk.restricted, settings.risk.watch),
            *_locks(connection, settings, account_id, now),
            *_pauses(connection, settings, now),
        ],
        facts={
            "account": account_id or "none has traded with this configuration yet",
            "newest bar": f"{newest:%Y-%m-%d %H:%M} UTC" if newest else "none",
            "approvals waiting": str(len(waiting)),
        },
    )


def _gates(connection: psycopg.Connection, settings: TradingSettings, closed: datetime) -> dict[str, str]:
    """The gates of the members of the universe in the session of the bar that closed last."""
    day = newest_session(closed)
    symbols = sorted(members_on(settings.members, day))
    states = read_gates(connection, BARS_DATASET, [day], symbols)
    return {symbol: states[day, symbol] for symbol in symbols}


def _locks(
    connection: psycopg.Connection, settings: TradingSettings, account_id: str, now: datetime
) -> list[Restriction]:
    rules = rules_of(settings)
    account = ledger.load_account(connection, account_id, now) if rules.protections else None
    if account is None:
        return []
    simulation.take_notice(account, now, states_of([], account_id), rules)
    return of_locks(account.locks)


def _pauses(connection: psycopg.Connection, settings: TradingSettings, now: datetime) -> list[Restriction]:
    pauses = []
    for name in settings.strategies:
        events = state_events(connection, [name])
        status, event = status_at(events, now), event_in_force(events, now)
        if event and status is not StrategyStatus.ENABLED:
            pauses.append(
                Restriction("strategy", f"{name} is {status.in_words}, by {event.set_by}: {event.why}", False)
            )
    return pauses


def _newest_close(connection: psycopg.Connection, settings: TradingSettings, now: datetime) -> datetime | None:
    row = connection.execute(
        "select max(newest.closes_at) from unnest(%(symbols)s::text[]) as wanted (symbol) "
        "cross join unnest(%(timeframes)s::text[]) as asked (timeframe) "
        "cross join lateral (select closes_at from market.bars where bars.symbol = wanted.symbol "
        "and bars.timeframe = asked.timeframe and bars.ts < %(now)s order by ts desc limit 1) as newest",
        {
            "symbols": list(settings.universe),
            "timeframes": [timeframe.value for timeframe in settings.timeframes],
            "now": now,
        },
    ).fetchone()
    return row[0] if row else None
