"""Protections: after certain exits a symbol, a strategy or everything may not be entered for a while.

What each of the four does is what freqtrade documents under the same name. A lock is a function of the trades closed
so far, never a memory of its own: it is the same after a restart and in a backtest. What it denies is RC-33's business.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from trading_assets.domain.market.sessions import close_after, close_before
from trading_assets.domain.values import ZERO, Side, Timeframe


class ProtectionKind(StrEnum):
    """COOLDOWN: after every exit of the symbol. STOPLOSS_GUARD: after `trade_limit` losing stop-outs in the look-back.
    LOW_PROFIT: `trade_limit` trades of a symbol or more whose returns sum to less than `required_profit`.
    MAX_DRAWDOWN: equity of the closed trades fell by more than `max_drawdown` within the look-back."""

    COOLDOWN = "cooldown"
    STOPLOSS_GUARD = "stoploss_guard"
    LOW_PROFIT = "low_profit"
    MAX_DRAWDOWN = "max_drawdown"


@dataclass(frozen=True, slots=True)
class ClosedTrade:
    """A strategy's position in a symbol from flat to flat. `side` is the one it was entered with; money before fees.

    `closed_at` (UTC) is when the account learnt of the exit, `closed_by` the id of the order that made it; None: the
    shares became money by a corporate action.
    """

    strategy: str
    symbol: str
    side: Side
    closed_at: datetime
    pnl_usd: Decimal
    entry_usd: Decimal
    closed_by: str | None

    @property
    def profit(self) -> Decimal:
        """Fraction of what was put in."""
        return self.pnl_usd / self.entry_usd if self.entry_usd else ZERO


@dataclass(frozen=True, slots=True)
class Protection:
    """One protection of the configuration. Look-back and stop are counted in bars of `timeframe`.

    A `strategy` limits both what is counted and what is locked to that strategy; None is all of them together. Of the
    stop-loss guard `is_per_symbol` counts and locks each symbol by itself, `is_per_side` each side.
    """

    kind: ProtectionKind
    stop_bars: int
    lookback_bars: int = 1
    trade_limit: int = 1
    required_profit: Decimal = ZERO
    max_drawdown: Decimal = ZERO
    is_per_symbol: bool = True
    is_per_side: bool = False
    strategy: str | None = None
    timeframe: Timeframe = Timeframe.SESSION


@dataclass(frozen=True, slots=True)
class Lock:
    """Nothing is opened before `until` (UTC). None of symbol, side, strategy: all of them."""

    kind: ProtectionKind
    until: datetime
    symbol: str | None = None
    side: Side | None = None
    strategy: str | None = None

    def holds(self, strategy: str, symbol: str, side: Side) -> bool:
        """Whether it is about an order of `side`."""
        return self.symbol in (None, symbol) and self.side in (None, side) and self.strategy in (None, strategy)


def locks_on(locks: Iterable[Lock], strategy: str, symbol: str, side: Side) -> list[Lock]:
    """The locks that keep `strategy` from opening a position in `symbol` along `side`."""
    return [lock for lock in locks if lock.holds(strategy, symbol, side)]


@dataclass(frozen=True, slots=True)
class TradeRecord:
    """What protections look at: all trades closed so far, the ids of all stop orders, the money that was paid in."""

    trades: Sequence[ClosedTrade]
    stop_orders: Collection[str]
    invested_usd: Decimal


def locks_at(protections: Iterable[Protection], record: TradeRecord, at: datetime) -> tuple[Lock, ...]:
    """The locks in force at `at` (UTC)."""
    found: dict[Lock, None] = {}
    for protection in protections:
        own = [one for one in record.trades if protection.strategy in (None, one.strategy) and one.closed_at <= at]
        for lock in _LOCKING[protection.kind](protection, replace(record, trades=own), at):
            if lock.until > at:
                found[lock] = None
    return tuple(found)


# Each kind --------------------------------------------------------------------------------------------


def _cooldown(protection: Protection, record: TradeRecord, _at: datetime) -> Iterable[Lock]:
    last: dict[str, ClosedTrade] = {}
    for trade in record.trades:
        if trade.symbol not in last or trade.closed_at >= last[trade.symbol].closed_at:
            last[trade.symbol] = trade
    return [_lock(protection, [trade], symbol=symbol) for symbol, trade in sorted(last.items())]


def _stoploss_guard(protection: Protection, record: TradeRecord, at: datetime) -> Iterable[Lock]:
    groups: dict[tuple[str | None, Side | None], list[ClosedTrade]] = defaultdict(list)
    for trade in _looked_back_on(protection, record.trades, at):
        if trade.closed_by in record.stop_orders and trade.profit < protection.required_profit:
            symbol = trade.symbol if protection.is_per_symbol else None
            groups[symbol, trade.side if protection.is_per_side else None].append(trade)
    return [
        _lock(protection, stopped, symbol=symbol, side=side)
        for (symbol, side), stopped in groups.items()
        if len(stopped) >= protection.trade_limit
    ]


def _low_profit(protection: Protection, record: TradeRecord, at: datetime) -> Iterable[Lock]:
    groups: dict[tuple[str, Side | None], list[ClosedTrade]] = defaultdict(list)
    for trade in _looked_back_on(protection, record.trades, at):
        groups[trade.symbol, trade.side if protection.is_per_side else None].append(trade)
    return [
        _lock(protection, closed, symbol=symbol, side=side)
        for (symbol, side), closed in groups.items()
        if len(closed) >= protection.trade_limit
        and sum((one.profit for one in closed), ZERO) < protection.required_profit
    ]


def _max_drawdown(protection: Protection, record: TradeRecord, at: datetime) -> Iterable[Lock]:
    recent = _looked_back_on(protection, record.trades, at)
    if len(recent) < protection.trade_limit:
        return []
    earlier_usd = sum((one.pnl_usd for one in record.trades), ZERO) - sum((one.pnl_usd for one in recent), ZERO)
    equity_usd = record.invested_usd + earlier_usd
    peak_usd, worst = equity_usd, ZERO
    for trade in sorted(recent, key=lambda one: one.closed_at):
        equity_usd += trade.pnl_usd
        peak_usd = max(peak_usd, equity_usd)
        if peak_usd > ZERO:
            worst = max(worst, 1 - equity_usd / peak_usd)
    return [_lock(protection, recent)] if worst > protection.max_drawdown else []


_LOCKING = {
    ProtectionKind.COOLDOWN: _cooldown,
    ProtectionKind.STOPLOSS_GUARD: _stoploss_guard,
    ProtectionKind.LOW_PROFIT: _low_profit,
    ProtectionKind.MAX_DRAWDOWN: _max_drawdown,
}


def _looked_back_on(protection: Protection, trades: Sequence[ClosedTrade], at: datetime) -> list[ClosedTrade]:
    since = close_before(at, protection.lookback_bars, protection.timeframe)
    return [trade for trade in trades if trade.closed_at > since]


def _lock(
    protection: Protection, causes: Iterable[ClosedTrade], symbol: str | None = None, side: Side | None = None
) -> Lock:
    """From the last of the exits that caused it, for as many bars as the protection says."""
    last = max(trade.closed_at for trade in causes)
    until = close_after(last, protection.stop_bars, protection.timeframe)
    return Lock(protection.kind, until, symbol, side, protection.strategy)
