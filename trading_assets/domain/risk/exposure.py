"""The account as it may become: filled, plus working orders, plus what this moment has approved, at its worst.

In whole shares and millionths of a dollar, rounded to the worse side. No limit is known here; rules judge the figures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from math import ceil

from trading_assets.domain.risk.activity import Activity, SentOrder
from trading_assets.domain.risk.day_trades import Trade
from trading_assets.domain.risk.inputs import InputMissingError, finite, positive, unsigned
from trading_assets.domain.risk.margin_rules import long_maintenance, short_maintenance
from trading_assets.domain.risk.rules.ruling import MILLION, ceil_share
from trading_assets.domain.risk.verdicts import AccountSnapshot, Intent
from trading_assets.domain.values import ZERO, Side

# The broker values a market buy at 4 % and a short sale at 3 % above the market when it asks for buying power.
WORST_FILL = {Side.BUY: Decimal("1.04"), Side.SELL: Decimal("1.03")}
WORST_PPM = {side: int(factor * MILLION) for side, factor in WORST_FILL.items()}

# A filled short's proceeds are part of cash and stay reserved, together with its own value as collateral.
SHORT_RESERVE = 2


class _Total:
    """A sum over symbols that is kept up to date when one of them changes."""

    def __init__(self, value_of: Callable[[str], int], symbols: Iterable[str]) -> None:
        self._value_of = value_of
        self.values = {symbol: value_of(symbol) for symbol in symbols}
        self.sum = sum(self.values.values())

    def without(self, symbol: str) -> int:
        return self.sum - self.values.get(symbol, 0)

    def refresh(self, symbol: str) -> None:
        value = self._value_of(symbol)
        self.sum += value - self.values.get(symbol, 0)
        self.values[symbol] = value


class Projection:
    """The worst case of one account at one moment. It grows by every approval; the snapshot under it never changes.

    Quantities of two sides are a pair: shares held when all buys fill and no sell, shares sold short the other way
    round. Every method raises InputMissingError when a number it needs is missing.
    """

    def __init__(self, snapshot: AccountSnapshot) -> None:
        self._snapshot = snapshot
        self._both_sides: dict[str, tuple[int, int]] = {}
        self._strategy_sides: dict[tuple[str, str], tuple[int, int]] = {}
        self._prices: dict[str, int] = {}
        self._totals: dict[tuple[str, ...], _Total] = {}
        self._approved_usd = 0
        self._standing_usd: int | None = None
        self._approved: list[tuple[Intent, Decimal]] = []
        self.activity = Activity(snapshot.sent_orders, snapshot.open_orders)
        self.day_trades = None if snapshot.day_trades is None else snapshot.day_trades.counted()

    def copy(self) -> Projection:
        """Another one that grows by approvals of its own."""
        other = Projection(self._snapshot)
        other._both_sides, other._strategy_sides = dict(self._both_sides), dict(self._strategy_sides)
        other._approved_usd, other._standing_usd = self._approved_usd, self._standing_usd
        for intent, qty in self._approved:
            other._count(intent, qty)
        return other

    # One symbol ------------------------------------------------------------------------------------

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
        if_bought, if_sold = self._sides(symbol)
        return if_bought if side is Side.BUY else if_sold

    def closable_qty(self, symbol: str, side: Side) -> int:
        """Shares that an order of `side` can surely close: beyond them it would open or flip the position."""
        return max(0, -self.directed_qty(symbol, side))

    def worst_qty(self, symbol: str) -> int:
        """The largest absolute position that any subset of the orders can lead to."""
        if_bought, if_sold = self._sides(symbol)
        return max(abs(if_bought), abs(if_sold))

    def strategy_directed_qty(self, strategy: str, symbol: str, side: Side) -> int:
        """`directed_qty` of what one strategy holds and has ordered."""
        if_bought, if_sold = self._sides_of(strategy, symbol)
        return if_bought if side is Side.BUY else if_sold

    def strategy_worst_qty(self, strategy: str, symbol: str) -> int:
        """`worst_qty` of what one strategy holds and has ordered."""
        if_bought, if_sold = self._sides_of(strategy, symbol)
        return max(abs(if_bought), abs(if_sold))

    # All symbols -----------------------------------------------------------------------------------

    def gross_without_usd(self, symbol: str) -> int:
        """Sum of the worst absolute values of all other symbols."""
        return self._total(("gross",), self._value_usd).without(symbol)

    def sector_without_usd(self, symbol: str) -> int:
        """The same of the other symbols in its sector; those whose sector nobody knows are one sector."""
        sector = self._snapshot.market.sector
        own = sector(symbol)
        return self._total(
            ("sector", own), lambda other: self._value_usd(other) if sector(other) == own else 0
        ).without(symbol)

    def correlated_without_usd(self, symbol: str, threshold: float) -> int:
        """The same of the other symbols that are correlated with it."""
        market = self._snapshot.market
        values_usd = self._total(("gross",), self._value_usd).values
        return sum(
            value_usd
            for other, value_usd in values_usd.items()
            if value_usd and other != symbol and market.is_correlated(symbol, other, threshold)
        )

    def strategy_without_usd(self, strategy: str, symbol: str) -> int:
        """The same of what one strategy holds and has ordered of other symbols."""

        def value_usd(other: str) -> int:
            qty = self.strategy_worst_qty(strategy, other)
            return qty * self._price(other) if qty else 0

        return self._total(("strategy", strategy), value_usd).without(symbol)

    def directed_net_usd(self, side: Side) -> int:
        """Sum of all symbols' values along `side`, when all orders of that side fill and none of the other."""

        def value_usd(symbol: str) -> int:
            qty = self.directed_qty(symbol, side)
            return qty * self._price(symbol) if qty else 0

        return self._total(("net", side.value), value_usd).sum

    def directed_beta_usd(self, sign: int) -> int:
        """Sum of all symbols' values x beta, at its worst in the direction of `sign`."""
        return self._total(("beta", str(sign)), lambda symbol: self._worst_usd(symbol, sign, self.beta)).sum

    def beta(self, symbol: str) -> int:
        """In parts per million."""
        beta = self._snapshot.market.beta(symbol)
        if beta is None:
            raise InputMissingError("beta", symbol)
        return round(beta * MILLION)

    def market_loss_usd(self, change: float) -> int:
        """The worst loss when the market changes by the ratio `change` and every price by its beta."""
        return self._total(
            ("market", str(change)), lambda symbol: self._worst_usd(symbol, -1, lambda one: self.shock(one, change))
        ).sum

    def shock(self, symbol: str, change: float) -> int:
        """By how many parts per million its price changes when the market does by `change`; at most down to zero."""
        return max(round(self.beta(symbol) * change), -MILLION)

    def margin_without_usd(self, symbol: str) -> int:
        """Sum of the maintenance margins of all other symbols, each at the worst that any subset of orders leads to."""
        return self._total(("margin",), self._margin_usd).without(symbol)

    def reserved_usd(self) -> int:
        """Cash that working orders, approvals of this moment and short positions may still need."""
        if self._standing_usd is None:
            working_usd = unsigned(self._snapshot.working_buy_value_usd, "working_buy_value_usd")
            self._standing_usd = ceil(working_usd * MILLION) + sum(map(self._short_usd, self._symbols()))
        return self._approved_usd + self._standing_usd

    def approve(self, intent: Intent, approved_qty: Decimal) -> None:
        """Count `approved_qty` shares of the intent as an order that may fill."""
        symbol, side, qty = intent.symbol, intent.side, ceil(approved_qty)
        if opening_qty := max(0, qty - self.closable_qty(symbol, side)):
            self._approved_usd += opening_qty * self.worst_price(symbol, side)
        bought, sold = (qty, 0) if side is Side.BUY else (0, qty)
        if_bought, if_sold = self._sides(symbol)
        self._both_sides[symbol] = if_bought + bought, if_sold + sold
        if_bought, if_sold = self._sides_of(intent.strategy, symbol)
        self._strategy_sides[intent.strategy, symbol] = if_bought + bought, if_sold + sold
        for total in self._totals.values():
            total.refresh(symbol)
        self._count(intent, approved_qty)

    def _count(self, intent: Intent, qty: Decimal) -> None:
        symbol, side = intent.symbol, intent.side
        value_usd = qty * self._snapshot.reference_prices[symbol]
        sent = SentOrder(intent.intent_id, intent.strategy, symbol, side, qty, value_usd, intent.decision_at)
        self.activity.add(sent)
        if self.day_trades is not None:
            self.day_trades.add(Trade(symbol, side, qty))
        self._approved.append((intent, qty))

    def _total(self, key: tuple[str, ...], value_of: Callable[[str], int]) -> _Total:
        total = self._totals.get(key)
        if total is None:
            total = self._totals[key] = _Total(value_of, self._symbols())
        return total

    def _sides(self, symbol: str) -> tuple[int, int]:
        both = self._both_sides.get(symbol)
        if both is None:
            snapshot = self._snapshot
            held = finite(snapshot.positions.get(symbol, ZERO), "positions", symbol)
            buys = unsigned(snapshot.working_buys.get(symbol, ZERO), "working_buys", symbol)
            sells = unsigned(snapshot.working_sells.get(symbol, ZERO), "working_sells", symbol)
            both = self._both_sides[symbol] = (ceil(held + buys), ceil(sells - held))
        return both

    def _sides_of(self, strategy: str, symbol: str) -> tuple[int, int]:
        key = strategy, symbol
        both = self._strategy_sides.get(key)
        if both is None:
            snapshot = self._snapshot
            held = finite(snapshot.strategy_positions.get(key, ZERO), "strategy_positions", key)
            buys = unsigned(snapshot.strategy_working_buys.get(key, ZERO), "strategy_working_buys", key)
            sells = unsigned(snapshot.strategy_working_sells.get(key, ZERO), "strategy_working_sells", key)
            both = self._strategy_sides[key] = (ceil(held + buys), ceil(sells - held))
        return both

    def _symbols(self) -> list[str]:
        snapshot = self._snapshot
        return sorted({*snapshot.positions, *snapshot.working_buys, *snapshot.working_sells, *self._both_sides})

    def _price(self, symbol: str) -> int:
        if self._snapshot.reference_prices.get(symbol) is None:
            return ceil(positive(self._snapshot.marks.get(symbol), "marks", symbol) * MILLION)
        return self.reference_price(symbol)

    def _value_usd(self, symbol: str) -> int:
        qty = self.worst_qty(symbol)
        return qty * self._price(symbol) if qty else 0

    def _worst_usd(self, symbol: str, sign: int, factor_of: Callable[[str], int]) -> int:
        """The most that `sign` x value x factor (parts per million) can be, after any subset of the orders."""
        if_bought, if_sold = self._sides(symbol)
        if not (if_bought or if_sold):
            return 0
        factor = sign * factor_of(symbol)
        return ceil_share(self._price(symbol), max(if_bought * factor, -if_sold * factor))

    def _margin_usd(self, symbol: str) -> int:
        if_bought, if_sold = self._sides(symbol)
        if not (if_bought or if_sold):
            return 0
        price = self._price(symbol)
        return max(max(0, if_bought) * long_maintenance(price), max(0, if_sold) * short_maintenance(price))

    def _short_usd(self, symbol: str) -> int:
        """What the filled and the working shorts of a symbol reserve; approvals are counted when they are made."""
        if self.directed_qty(symbol, Side.SELL) <= 0:
            return 0
        held = self._snapshot.positions.get(symbol, ZERO)
        short, worst_short = max(0, ceil(-held)), max(0, ceil(self._snapshot.working_sells.get(symbol, ZERO) - held))
        price = self._price(symbol)
        return short * SHORT_RESERVE * price + (worst_short - short) * ceil_share(price, WORST_PPM[Side.SELL])
