"""Measures an account from the ledger and the stored bars, checks its limits, and tells what changed.

Every moment is measured with what was known then. What a figure means, and when a limit is near, is the domain's.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from trading_assets.adapters.postgres import alerts
from trading_assets.adapters.postgres import portfolio_risk as store
from trading_assets.adapters.postgres.analytics import reported_account
from trading_assets.adapters.postgres.corporate_actions import actions_as_of
from trading_assets.adapters.postgres.instruments import sector_facts
from trading_assets.adapters.postgres.limits import limit_changes
from trading_assets.adapters.postgres.market import bars_as_of
from trading_assets.adapters.postgres.notification import enqueue
from trading_assets.adapters.postgres.strategy import later_knowledge
from trading_assets.domain.market.adjust import point_in_time_factors
from trading_assets.domain.market.sessions import FIRST_DAY, previous_session, session, sessions_between
from trading_assets.domain.notification.messages import limit_alert
from trading_assets.domain.risk.alerts import changes
from trading_assets.domain.risk.limit_changes import values_at
from trading_assets.domain.risk.portfolio_risk import Holdings, benchmark_returns, measure
from trading_assets.domain.risk.watched_limits import WATCHED, check_limits
from trading_assets.domain.strategy.knowledge import Part, parts
from trading_assets.domain.strategy.portfolio import Sectors
from trading_assets.domain.values import Timeframe, decimal_of

if TYPE_CHECKING:
    import psycopg

    from trading_assets.adapters.postgres.database import Database
    from trading_assets.adapters.postgres.portfolio_risk import AccountState, MeasuredRisk
    from trading_assets.domain.risk.value_at_risk import Floats
    from trading_assets.settings import TradingSettings

EQUAL_WEIGHTED = "universe, equal-weighted"
# Where a factor of adjustment is multiplied up from moves with the range that is read, and with it the last bits of a
# return. A measurement must not.
RETURN_DECIMALS = 12


@dataclass(frozen=True, slots=True)
class RiskMonitor:
    """Measures the account that traded last, as of `now` (UTC)."""

    database: Database
    settings: TradingSettings
    now: datetime

    def measure(self, first: date, last: date) -> int:
        """Measure the close of every session of first..last, or `now` in the session that is under way.

        A session that the account has not lived in is left out. Returns how many measurements are new or changed.
        Raises NotFound before the first account traded.
        """
        with self.database.transaction() as connection:
            account_id = reported_account(connection).account_id
            before = _earlier(first, 1)
            states = store.account_states(connection, account_id, before, last, self.now)
            values = store.position_values(connection, account_id, before, last)
            moments = list(self._moments(first, last, states))
            held = sorted({symbol for _, _, state in moments for symbol in values.get(state.session_date, {})})
            histories = self._histories(moments, held)
            sectors = Sectors(sector_facts(self.database, held))
            measured = [
                self._measured(at, day, state, values.get(state.session_date, {}), histories, sectors)
                for at, day, state in moments
            ]
            return store.store_measurements(connection, measured)

    def alert(self, first: date, last: date) -> int:
        """Check the limits at every measurement of first..last and record what changed, with a message for each.

        Returns how many alerts there are. Later measurements, judged before, are judged again after what is new.
        """
        with self.database.transaction() as connection:
            account_id = reported_account(connection).account_id
            alerts.lock_alerts(connection)
            limits_at = self._limits(connection)
            checks = [
                check
                for measured in store.measurements(connection, account_id, first, last)
                for check in check_limits(measured, limits_at(measured.at))
            ]
            alerts.store_checks(connection, account_id, checks)
            judged = alerts.checks_since(connection, account_id, first)
            events = changes(account_id, judged, alerts.newest_alerts(connection, account_id))
            enqueue(connection, [limit_alert(event) for event in events])
            return alerts.record_alerts(connection, events)

    def _limits(self, connection: psycopg.Connection) -> Callable[[datetime], dict[str, Decimal | None]]:
        """The watched limits in force at a moment (UTC)."""
        configured = {**self.settings.risk.limits(), **self.settings.risk_monitor.model_dump()}
        changed = limit_changes(connection, self.settings.broker.kind)

        def limits_at(at: datetime) -> dict[str, Decimal | None]:
            values = values_at(configured, changed, at)
            return {name: None if values[name] is None else decimal_of(values[name]) for name in WATCHED}

        return limits_at

    def _moments(
        self, first: date, last: date, states: Mapping[date, AccountState]
    ) -> Iterator[tuple[datetime, date, AccountState]]:
        """When to measure, in which session, and what: within a session, before its first bar, the last one's end."""
        for day in sessions_between(first, last):
            closes_at = session(day).closes_at
            is_under_way = self.now < closes_at
            state = states.get(day) or (states.get(previous_session(day)) if is_under_way else None)
            if state is not None:
                yield min(self.now, closes_at), day, state

    def _measured(
        self,
        at: datetime,
        day: date,
        state: AccountState,
        values: Mapping[str, Decimal],
        histories: Sequence[_History],
        sectors: Sectors,
    ) -> MeasuredRisk:
        symbols = tuple(sorted(values))
        holdings = Holdings(
            symbols=symbols,
            values_usd=np.array([float(values[symbol]) for symbol in symbols], dtype=np.float64),
            sectors=tuple(sectors.at(symbol, day, at) for symbol in symbols),
            equity_usd=float(state.equity_usd),
        )
        monitor = self.settings.risk_monitor
        returns, market = next(one for one in histories if at <= one.until).window(
            symbols, at, monitor.lookback_sessions
        )
        if day != state.session_date:
            # Nothing of this session is on the books yet: it begins with what the last one ended with.
            state = replace(state, session_date=day, start_equity_usd=state.equity_usd)
        return store.MeasuredRisk(
            at=at,
            session_date=day,
            state=state,
            holdings=holdings,
            benchmark=monitor.benchmark or EQUAL_WEIGHTED,
            risk=measure(holdings, returns, market, monitor.min_returns),
        )

    def _histories(self, moments: Sequence[tuple[datetime, date, AccountState]], held: Sequence[str]) -> list[_History]:
        """The returns behind the moments: one a stretch of time in which nothing restated became known."""
        if not moments:
            return []
        benchmark = self.settings.risk_monitor.benchmark
        symbols = sorted({*held, *([benchmark] if benchmark else self.settings.universe)})
        timeframe = Timeframe.SESSION if Timeframe.SESSION in self.settings.timeframes else Timeframe.HOUR
        first, last = moments[0][1], moments[-1][1]
        restated = later_knowledge(self.database, symbols, session(first).opens_at, session(last).closes_at)
        return [self._history(part, timeframe, symbols) for part in parts(first, last, timeframe, restated, self.now)]

    def _history(self, part: Part, timeframe: Timeframe, symbols: Sequence[str]) -> _History:
        monitor = self.settings.risk_monitor
        start = _earlier(part.first, monitor.lookback_sessions + 1)
        bars = bars_as_of(self.database, part.knowledge_time, symbols, timeframe, start, part.last)
        factors = point_in_time_factors(bars, actions_as_of(self.database, part.knowledge_time, symbols))
        adjusted = bars.assign(adjusted=bars["close"] * factors)
        closes = adjusted.groupby(["session_date", "symbol"], sort=True)["adjusted"].last().unstack("symbol")
        days = sessions_between(start, part.last)
        table = closes.reindex(index=days, columns=list(symbols)).to_numpy(dtype=np.float64)
        returns = np.round(table[1:] / table[:-1] - 1, RETURN_DECIMALS)
        if monitor.benchmark:
            market = returns[:, symbols.index(monitor.benchmark)]
        else:
            market = benchmark_returns(returns[:, [symbols.index(one) for one in self.settings.universe]])
        return _History(
            part.knowledge_time, [session(day).closes_at for day in days[1:]], list(symbols), returns, market
        )


def _earlier(day: date, sessions: int) -> date:
    """The session so many sessions before `day`, or the first of the calendar."""
    return sessions_between(FIRST_DAY, day)[-sessions - 1 :][0]


@dataclass(frozen=True, slots=True, eq=False)
class _History:
    """Returns of `symbols` in the sessions that end at `closes` (UTC), as known up to `until`, and the market's."""

    until: datetime
    closes: Sequence[datetime]
    symbols: Sequence[str]
    returns: Floats
    market: Floats

    def window(self, symbols: Sequence[str], at: datetime, sessions: int) -> tuple[Floats, Floats]:
        """Returns (sessions x symbols) and the market's, of the last `sessions` sessions that were over at `at`."""
        end = bisect_right(self.closes, at)
        rows = slice(max(end - sessions, 0), end)
        return self.returns[rows][:, [self.symbols.index(symbol) for symbol in symbols]], self.market[rows]
