"""The tape: what trades, takes effect and may be decided upon at each bar close of some sessions.

Together with targets it becomes the moments that the time loop lives through, the same for every way to get there.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from trading_assets.domain.market.bars import Bar
from trading_assets.domain.market.corporate_actions import CorporateAction
from trading_assets.domain.market.sessions import Session, session, session_from, sessions_between
from trading_assets.domain.risk.breakers import DEFAULT_RULES, REGIME_BREAKERS, Breaker, BreakerRule
from trading_assets.domain.risk.market_view import NO_HISTORY, MarketHistory
from trading_assets.domain.risk.regime import UNKNOWN_REGIME, Regime, regime_of, session_returns
from trading_assets.domain.risk.standings import NO_STANDINGS, Standings
from trading_assets.domain.simulation import Moment
from trading_assets.domain.strategy.targets import Target
from trading_assets.domain.values import decimal_of, price_of

if TYPE_CHECKING:
    import pandas as pd


class NothingStoredError(ValueError):
    """A session that is over has neither bars nor targets."""


@dataclass(frozen=True, slots=True)
class Tape:
    """`bars` by session and bar close, `actions` by the session they take effect in, `gates` by session and symbol.

    `standings` say how symbols stood when.
    """

    bars: Mapping[tuple[date, datetime], Sequence[Bar]]
    actions: Mapping[date, Sequence[CorporateAction]]
    gates: Mapping[date, Mapping[str, str]]
    standings: Standings = NO_STANDINGS

    @classmethod
    def of(
        cls,
        frame: pd.DataFrame,
        actions: Iterable[CorporateAction],
        gates: Mapping[tuple[date, str], str],
        standings: Standings = NO_STANDINGS,
    ) -> Tape:
        """`frame` has BAR_COLUMNS, by closes_at and symbol; `gates` are states by session and symbol."""
        by_day: dict[date, dict[str, str]] = defaultdict(dict)
        for (day, symbol), state in gates.items():
            by_day[day][symbol] = state
        return cls(_bars(frame), _by_session(actions), by_day, standings)

    def moments(
        self,
        targets: Iterable[Target],
        first: date,
        last: date,
        now: datetime,
        breakers: Mapping[str, BreakerRule] | None = None,
        history: MarketHistory = NO_HISTORY,
    ) -> list[Moment]:
        """Every bar close of the sessions first..last up to `now` (UTC), with what trades and is wanted there.

        The regime is given where `breakers` ask for it, as far as the tape has the sessions before; `history` is what
        risk limits ask for. Raises NothingStoredError.
        """
        wanted: dict[tuple[date, datetime], list[Target]] = defaultdict(list)
        for target in targets:
            wanted[target.session_date, target.decision_at].append(target)
        times: dict[date, set[datetime]] = defaultdict(set)
        for day, at in (*self.bars, *wanted):
            times[day].add(at)
        regimes = self._regimes(breakers) if breakers and REGIME_BREAKERS & breakers.keys() else {}
        regime_times = list(regimes)
        return [
            Moment(
                at=at,
                session=trading,
                bars=self.bars.get((trading.date, at), []),
                actions=self.actions.get(trading.date, []),
                targets=wanted.get((trading.date, at), []),
                gates=self.gates.get(trading.date, {}),
                regime=_newest(regimes, regime_times, at),
                standings=self.standings,
                history=history,
            )
            for trading in map(session, sessions_between(first, last))
            for at in _closes(trading, times[trading.date], now)
        ]

    def _regimes(self, breakers: Mapping[str, BreakerRule]) -> dict[datetime, Regime]:
        """The regime at each session's close, in order of time."""
        closes: dict[date, dict[str, float]] = defaultdict(dict)
        for day, at in sorted(self.bars):
            closes[day] |= {bar.symbol: float(bar.close) for bar in self.bars[day, at]}
        days = list(closes)
        splits = [
            {one.symbol: float(one.split_ratio) for one in self.actions.get(day, ()) if one.split_ratio is not None}
            for day in days
        ]
        returns = session_returns([closes[day] for day in days], splits)
        windows = [
            (breakers.get(one) or DEFAULT_RULES[one]).window for one in (Breaker.VOLATILITY, Breaker.CORRELATION)
        ]
        return {session(day).closes_at: regime_of(returns[:row], *windows) for row, day in enumerate(days)}


def regime_sessions(breakers: Mapping[str, BreakerRule]) -> int:
    """How many sessions before the first a tape needs for the regime that `breakers` ask for."""
    return max((rule.window for name, rule in breakers.items() if name in REGIME_BREAKERS), default=0)


def _newest(regimes: Mapping[datetime, Regime], times: Sequence[datetime], at: datetime) -> Regime:
    """That of the newest session's close by `at`; `times` are its keys in order."""
    place = bisect_right(times, at)
    return regimes[times[place - 1]] if place else UNKNOWN_REGIME


def _closes(trading: Session, recorded: set[datetime], now: datetime) -> list[datetime]:
    """The moments of one session: its bar closes and, when it is over, its end."""
    if trading.closes_at > now:
        # A rehearsal may go through hours whose targets are stored already.
        return sorted(at for at in recorded if at <= now)
    if not recorded:
        raise NothingStoredError(
            f"No bars and no targets are stored for session {trading.date}: "
            f"run `trading backfill --from {trading.date} --to {trading.date}`, or materialise them in the UI."
        )
    return sorted({*recorded, trading.closes_at})


def _by_session(actions: Iterable[CorporateAction]) -> dict[date, list[CorporateAction]]:
    by_session = defaultdict(list)
    for action in actions:
        # Vendors date some by a day without trading: they take effect in the session after it.
        effective = session_from(action.ex_date)
        by_session[effective].append(replace(action, ex_date=effective))
    return by_session


def _bars(frame: pd.DataFrame) -> dict[tuple[date, datetime], list[Bar]]:
    """The tape in the ledger's arithmetic, by session and bar close, in order of symbol."""
    bars = defaultdict(list)
    moments: list[list[Any]] = [list(frame[name].dt.to_pydatetime()) for name in ("ts", "closes_at")]
    prices = (map(price_of, frame[name].tolist()) for name in ("open", "high", "low", "close"))
    volumes = map(decimal_of, frame["volume"].tolist())
    for bar in map(Bar, frame["symbol"].tolist(), *moments, frame["session_date"].tolist(), *prices, volumes):
        bars[bar.session_date, bar.closes_at].append(bar)
    return bars
