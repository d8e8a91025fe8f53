"""The account as it may become: filled, plus working orders, plus what this moment has approved, at its worst.

In whole shares and millionths of a dollar, rounded to the worse side. No limit is known here; rules judge the figures.
"""

from __future__ import annotations

from decimal import Decimal
from math import ceil, floor

from trading_assets.domain.risk.inputs import finite, positive, unsigned
from trading_assets.domain.risk.rules.ruling import MILLION, ceil_share
from trading_assets.domain.risk.verdicts import AccountSnapshot, Intent
from trading_assets.domain.values import ZERO, Side

# The broker values a market buy at 4 % and a short sale at 3 % above the market when it asks for buying power.
WORST_FILL = {Side.BUY: Decimal("1.04"), Side.SELL: Decimal("1.03")}
WORST_PPM = {side: int(factor * MILLION) for side, factor in WORST_FILL.items()}

# A filled short's proceeds are part of cash and stay reserved, together with its own value as collateral.
SHORT_RESERVE = 2


class Projection:
    """The worst case of one account at one moment. It grows by every approval; the snapshot under it never changes.

    Every method raises InputMissingError when a number it needs is missing.
    """

    __slots__ = (
        "_approved_usd",
        "_directed",
        "_gross_usd",
        "_prices",
        "_short_reserve_usd",
        "_snapshot",
        "_strategy_sold",
        "_values_usd",
    )

    def __init__(self, snapshot: AccountSnapshot) -> None:
        self._snapshot = snapshot
        self._directed: dict[str, tuple[int, int]] = {}
        self._prices: dict[str, int] = {}
        self._strategy_sold: dict[tuple[str, str], int] = {}
        self._approved_usd = 0
        self._values_usd: dict[str, int] | None = None
        self._gross_usd = 0
        self._short_reserve_usd: int | None = None

    def reference_price(self, symbol: str) -> int:
        """Raw close of the bar that was decided on, in millionths of a dollar."""
        price = self._prices.get(symbol)
        if price is None:
            given = positive(self._snapshot.reference_prices.get(symbol), "reference_prices", symbol)
            price = self._prices[symbol] = ceil(given * MILLION)
        return price

    def worst_price(self, symbol: str, side: Side) -> int:
        """What the broker may ask for a share that opens."""
        return ceil_share(self.reference_price(symbol), WORST_PPM[side])

    def directed_qty(self, symbol: str, side: Side) -> int:
        """Shares held along `side` when all orders of that side fill and none of the other; negative: against it."""
        if_bought, if_sold = self._both_sides(symbol)
        return if_bought if side is Side.BUY else if_sold

    def closable_qty(self, symbol: str, side: Side) -> int:
        """Shares that an order of `side` can surely close: beyond them it would open or flip the position."""
        return max(0, -self.directed_qty(symbol, side))

    def worst_qty(self, symbol: str) -> int:
        """The largest absolute position that any subset of the orders can lead to."""
        if_bought, if_sold = self._both_sides(symbol)
        return max(abs(if_bought), abs(if_sold))

    def strategy_long_qty(self, strategy: str, symbol: str) -> int:
        """Shares that the strategy owns when all its sells fill and none of its buys; negative: it is short."""
        key, snapshot = (strategy, symbol), self._snapshot
        held = finite(snapshot.strategy_positions.get(key, ZERO), "strategy_positions", key)
        working = unsigned(snapshot.strategy_working_sells.get(key, ZERO), "strategy_working_sells", key)
        return floor(held - working) - self._strategy_sold.get(key, 0)

    def gross_without_usd(self, symbol: str) -> int:
        """Sum of the worst absolute values of all other symbols."""
        if self._values_usd is None:
            values_usd = {held: self._value_usd(held) for held in self._symbols()}
            self._gross_usd = sum(values_usd.values())
            self._values_usd = values_usd
        return self._gross_usd - self._values_usd.get(symbol, 0)

    def reserved_usd(self) -> int:
        """Cash that working orders, approvals of this moment and short positions may still need."""
        if self._short_reserve_usd is None:
            self._short_reserve_usd = sum(map(self._short_usd, self._symbols()))
        working_usd = unsigned(self._snapshot.working_buy_value_usd, "working_buy_value_usd")
        return ceil(working_usd * MILLION) + self._approved_usd + self._short_reserve_usd

    def approve(self, intent: Intent, approved_qty: Decimal) -> None:
        """Count `approved_qty` shares of the intent as an order that may fill."""
        symbol, side, qty = intent.symbol, intent.side, ceil(approved_qty)
        opening_qty = max(0, qty - self.closable_qty(symbol, side))
        self._approved_usd += opening_qty * self.worst_price(symbol, side)
        if_bought, if_sold = self._both_sides(symbol)
        if side is Side.BUY:
            self._directed[symbol] = (if_bought + qty, if_sold)
        else:
            self._directed[symbol] = (if_bought, if_sold + qty)
            key = (intent.strategy, symbol)
            self._strategy_sold[key] = self._strategy_sold.get(key, 0) + qty
        if self._values_usd is not None:
            value_usd = self._value_usd(symbol)
            self._gross_usd += value_usd - self._values_usd.get(symbol, 0)
            self._values_usd[symbol] = value_usd

    def _both_sides(self, symbol: str) -> tuple[int, int]:
        """The directed quantities of buying and of selling."""
        both = self._directed.get(symbol)
        if both is None:
            snapshot = self._snapshot
            held = finite(snapshot.positions.get(symbol, ZERO), "positions", symbol)
            buys = unsigned(snapshot.working_buys.get(symbol, ZERO), "working_buys", symbol)
            sells = unsigned(snapshot.working_sells.get(symbol, ZERO), "working_sells", symbol)
            both = self._directed[symbol] = (ceil(held + buys), ceil(sells - held))
        return both

    def _symbols(self) -> list[str]:
        snapshot = self._snapshot
        return sorted({*snapshot.positions, *snapshot.working_buys, *snapshot.working_sells, *self._directed})

    def _price(self, symbol: str) -> int:
        if self._snapshot.reference_prices.get(symbol) is None:
            return ceil(positive(self._snapshot.marks.get(symbol), "marks", symbol) * MILLION)
        return self.reference_price(symbol)

    def _value_usd(self, symbol: str) -> int:
        qty = self.worst_qty(symbol)
        return qty * self._price(symbol) if qty else 0

    def _short_usd(self, symbol: str) -> int:
        """What the filled and the working shorts of a symbol reserve; approvals are counted when they are made."""
        if self.directed_qty(symbol, Side.SELL) <= 0:
            return 0
        held = self._snapshot.positions.get(symbol, ZERO)
        short, worst_short = max(0, ceil(-held)), max(0, ceil(self._snapshot.working_sells.get(symbol, ZERO) - held))
        price = self._price(symbol)
        return short * SHORT_RESERVE * price + (worst_short - short) * ceil_share(price, WORST_PPM[Side.SELL])
