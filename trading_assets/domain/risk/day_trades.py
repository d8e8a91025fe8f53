"""Day trades, as the pattern day trader rule counts them: opened and closed again in one session.

Buying several times and selling several times is one day trade; what was held before the session is none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from trading_assets.domain.values import ZERO, Side


class Trade(NamedTuple):
    """Shares of one symbol that changed hands, or are about to."""

    symbol: str
    side: Side
    qty: Decimal


@dataclass(slots=True)
class DayTrades:
    """The day trades of one session so far. `held` are the account's signed shares by symbol."""

    held: dict[str, Decimal] = field(default_factory=dict)
    count: int = 0
    _opened: dict[str, Side] = field(default_factory=dict)

    def add(self, trade: Trade) -> None:
        """Count a trade; trades come in the order in which they happened."""
        self.count += self.would_be_one(trade.symbol, trade.side)
        before = self.held.get(trade.symbol, ZERO)
        after = before + trade.side.sign * trade.qty
        is_opening = before * trade.side.sign >= ZERO
        if is_opening or before * after < ZERO:
            self._opened[trade.symbol] = trade.side
        elif self._opened.get(trade.symbol) is not trade.side:
            self._opened.pop(trade.symbol, None)
        self.held[trade.symbol] = after

    def would_be_one(self, symbol: str, side: Side) -> bool:
        """Whether an order of `side` would close what was opened in this session."""
        opened = self._opened.get(symbol)
        return opened is not None and opened is not side and self.held.get(symbol, ZERO) * opened.sign > ZERO


@dataclass(frozen=True, slots=True)
class DayTradeRecord:
    """`past`: day trades of the four sessions before the one in which an order would execute. `held`: signed shares at
    its start; `trades`: what has traded in it, and what is working, in order."""

    past: int
    held: Mapping[str, Decimal]
    trades: Sequence[Trade]

    def counted(self) -> DayTrades:
        """All of it as one count that goes on."""
        counted = DayTrades(dict(self.held), self.past)
        for trade in self.trades:
            counted.add(trade)
        return counted


def count_day_trades(held: Mapping[str, Decimal], trades: Iterable[Trade]) -> int:
    """The day trades of a session that began with `held` signed shares by symbol."""
    counted = DayTrades(dict(held))
    for trade in trades:
        counted.add(trade)
    return counted.count
