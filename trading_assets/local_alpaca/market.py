"""The market of a rehearsal: bars that the platform has stored, traded when its clock has passed their end.

What a bar executes is the venue's business; here it is which bar comes when, and what time it is there meanwhile.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Protocol

from trading_assets.domain.execution.venue import Venue
from trading_assets.domain.market.bars import Bar
from trading_assets.domain.market.instruments import Instrument
from trading_assets.domain.market.sessions import NEW_YORK, bar_bounds, newest_session, session_before, sessions_between
from trading_assets.domain.values import Timeframe
from trading_assets.local_alpaca.journal import Journal

GRACE = timedelta(minutes=5)
"""So long after a bar began an order still has its open: whoever decides at a bar's end needs some time to send."""
PRICED_SESSIONS = 10
"""How far back the last price of a symbol is looked for."""
INSTANT = timedelta(microseconds=1)


class Stored(Protocol):
    """What is stored of the market, as known at `now` (UTC). Raises AdapterError."""

    @property
    def symbols(self) -> Sequence[str]: ...

    def instruments(self, symbols: Sequence[str]) -> list[Instrument]: ...

    def periods(self, first: date, last: date, now: datetime) -> list[list[Bar]]:
        """The bars of the sessions first..last that have ended, those that end together in one list, oldest first."""
        ...


class Market:
    """Leads `venue` along from where it begins. For one thread at a time.

    `finest` is the shortest timeframe of which bars are collected.
    """

    def __init__(self, venue: Venue, journal: Journal, finest: Timeframe, stored: Stored) -> None:
        self.venue, self._journal, self._finest, self._stored = venue, journal, finest, stored
        self._begins = self._newest = venue.now
        self._traded_until: dict[str, datetime] = {}

    def follow(self, now: datetime) -> None:
        """Trade what has ended by `now` (UTC), oldest first, and let the venue's time come as far as it may.

        It stays just before the end of a bar that is not stored yet: the day's orders must not end before the bar that
        may execute them. A `now` that is over changes nothing.
        """
        if now < self.venue.now:
            return
        self._list_new(now)
        if self._first_due(now) is not None:
            for bars in self._untraded(now):
                self._journal.add_bars(self.venue.now, bars)
                self.trade(bars)
        due = self._first_due(now)
        self.advance(order_time(now, self._finest) if due is None else due - INSTANT)

    def trade(self, bars: Sequence[Bar]) -> None:
        """Let bars of one period execute what they can."""
        self.venue.trade(*bars)
        for bar in bars:
            self._traded_until[bar.symbol] = bar.closes_at
            self._newest = max(self._newest, bar.closes_at)

    def advance(self, to: datetime) -> None:
        """Let time pass until `to`, unless that is over."""
        self.venue.advance(max(self.venue.now, to))

    def list_instruments(self, instruments: Sequence[Instrument], last_prices: Sequence[Decimal]) -> None:
        """Let these be traded from now on; the prices are those of their last trades."""
        for one, price in zip(instruments, last_prices, strict=True):
            self.venue.instruments[one.symbol] = one
            self.venue.ledger.last_prices[one.symbol] = price

    def _list_new(self, now: datetime) -> None:
        """Instruments that have traded by `now`: without a price nobody could say what an order costs."""
        unlisted = [symbol for symbol in self._stored.symbols if symbol not in self.venue.instruments]
        today = newest_session(now)
        found = [
            one
            for one in (self._stored.instruments(unlisted) if unlisted else [])
            if one.first_session is None or one.first_session <= today
        ]
        if not found:
            return
        earlier = self._stored.periods(session_before(today, PRICED_SESSIONS), today, now)
        prices = {bar.symbol: bar.close for bars in earlier for bar in bars}
        priced = [one for one in found if one.symbol in prices]
        if priced:
            last_prices = [prices[one.symbol] for one in priced]
            self._journal.add_instruments(self.venue.now, priced, last_prices)
            self.list_instruments(priced, last_prices)

    def _untraded(self, now: datetime) -> list[list[Bar]]:
        periods = self._stored.periods(newest_session(self._newest), newest_session(now), now)
        found = [[bar for bar in bars if bar.closes_at > self._known_until(bar.symbol)] for bars in periods]
        return [bars for bars in found if bars]

    def _known_until(self, symbol: str) -> datetime:
        return self._traded_until.get(symbol, self._begins)

    def _first_due(self, now: datetime) -> datetime | None:
        """The end of the first bar that should have been traded by `now`; later ones tell that it never comes."""
        days = sessions_between(*(at.astimezone(NEW_YORK).date() for at in (self._newest, now)))
        ends = (bounds.closes_at for day in days for bounds in bar_bounds(day, self._finest))
        return next((at for at in ends if self._newest < at <= now), None)


def finest_of(timeframes: Collection[Timeframe]) -> Timeframe:
    """The one with the shortest bars."""
    return Timeframe.HOUR if Timeframe.HOUR in timeframes else Timeframe.SESSION


def order_time(now: datetime, finest: Timeframe) -> datetime:
    """The time that orders of the moment `now` (UTC) count as sent at: the begin of their bar, while it is young."""
    begins = [bounds.ts for bounds in bar_bounds(newest_session(now), finest)]
    return next((at for at in begins if at <= now < at + GRACE), now)
