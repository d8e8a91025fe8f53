"""The account as it may become: filled, plus working orders, plus what this moment has approved, at its worst.

No limit is known here; rules ask these figures and judge them.
"""

from __future__ import annotations

from decimal import Decimal

from trading_assets.domain.risk.inputs import finite, positive, unsigned
from trading_assets.domain.risk.verdicts import AccountSnapshot, Intent
from trading_assets.domain.values import ZERO, Side

# The broker values a market buy at 4 % and a short sale at 3 % above the market when it asks for buying power.
WORST_FILL = {Side.BUY: Decimal("1.04"), Side.SELL: Decimal("1.03")}

# A filled short's proceeds are part of cash and stay reserved, together with its own value as collateral.
_SHORT_RESERVE = Decimal(2)


class Projection:
    """The worst case of one account at one moment. It grows by every approval; the snapshot under it never changes.

    Every method raises InputMissingError when a number it needs is missing.
    """

    __slots__ = (
        "_approved_usd",
        "_directed",
        "_gross_usd",
        "_short_reserve_usd",
        "_snapshot",
        "_strategy_sold",
        "_values_usd",
    )

    def __init__(self, snapshot: AccountSnapshot) -> None:
        self._snapshot = snapshot
        self._directed: dict[str, tuple[Decimal, Decimal]] = {}
        self._strategy_sold: dict[tuple[str, str], Decimal] = {}
        self._approved_usd = ZERO
        self._values_usd: dict[str, Decimal] | None = None
        self._gross_usd = ZERO
        self._short_reserve_usd: Decimal | None = None

    def directed_qty(self, symbol: str, side: Side) -> Decimal:
        """Shares held along `side` when all orders of that side fill and none of the other; negative: against it."""
        if_bought, if_sold = self._both_sides(symbol)
        return if_bought if side is Side.BUY else if_sold

    def closable_qty(self, symbol: str, side: Side) -> Decimal:
        """Shares that an order of `side` can surely close: beyond them it would open or flip the position."""
        return max(ZERO, -self.directed_qty(symbol, side))

    def opening_qty(self, intent: Intent) -> Decimal:
        """Shares of the intent beyond what it surely closes."""
        return max(ZERO, positive(intent.qty, "qty") - self.closable_qty(intent.symbol, intent.side))

    def worst_qty(self, symbol: str) -> Decimal:
        """The largest absolute position that any subset of the orders can lead to."""
        if_bought, if_sold = self._both_sides(symbol)
        return max(abs(if_bought), abs(if_sold))

    def strategy_long_qty(self, strategy: str, symbol: str) -> Decimal:
        """Shares that the strategy owns when all its sells fill and none of its buys; negative: it is short."""
        key, snapshot = (strategy, symbol), self._snapshot
        held = finite(snapshot.strategy_positions.get(key, ZERO), "strategy_positions", key)
        working = unsigned(snapshot.strategy_working_sells.get(key, ZERO), "strategy_working_sells", key)
        return held - working - self._strategy_sold.get(key, ZERO)

    def gross_without_usd(self, symbol: str) -> Decimal:
        """Sum of the worst absolute values of all other symbols."""
        if self._values_usd is None:
            values_usd = {held: self._value_usd(held) for held in self._symbols()}
            self._gross_usd = sum(values_usd.values(), ZERO)
            self._values_usd = values_usd
        return self._gross_usd - self._values_usd.get(symbol, ZERO)

    def reserved_usd(self) -> Decimal:
        """Cash that working orders, approvals of this moment and short positions may still need."""
        if self._short_reserve_usd is None:
            self._short_reserve_usd = sum(map(self._short_usd, self._symbols()), ZERO)
        working_usd = unsigned(self._snapshot.working_buy_value_usd, "working_buy_value_usd")
        return working_usd + self._approved_usd + self._short_reserve_usd

    def approve(self, intent: Intent, qty: Decimal) -> None:
        """Count `qty` shares of the intent as an order that may fill."""
        symbol, side = intent.symbol, intent.side
        price = positive(self._snapshot.reference_prices.get(symbol), "reference_prices", symbol)
        opening_qty = max(ZERO, qty - self.closable_qty(symbol, side))
        self._approved_usd += opening_qty * price * WORST_FILL[side]
        if_bought, if_sold = self._both_sides(symbol)
        if side is Side.BUY:
            self._directed[symbol] = (if_bought + qty, if_sold)
        else:
            self._directed[symbol] = (if_bought, if_sold + qty)
            key = (intent.strategy, symbol)
            self._strategy_sold[key] = self._strategy_sold.get(key, ZERO) + qty
        if self._values_usd is not None:
            value_usd = self._value_usd(symbol)
            self._gross_usd += value_usd - self._values_usd.get(symbol, ZERO)
            self._values_usd[symbol] = value_usd

    def _both_sides(self, symbol: str) -> tuple[Decimal, Decimal]:
        """The directed quantities of buying and of selling."""
        both = self._directed.get(symbol)
        if both is None:
            snapshot = self._snapshot
            held = finite(snapshot.positions.get(symbol, ZERO), "positions", symbol)
            buys = unsigned(snapshot.working_buys.get(symbol, ZERO), "working_buys", symbol)
            sells = unsigned(snapshot.working_sells.get(symbol, ZERO), "working_sells", symbol)
            both = self._directed[symbol] = (held + buys, sells - held)
        return both

    def _symbols(self) -> list[str]:
        snapshot = self._snapshot
        return sorted({*snapshot.positions, *snapshot.working_buys, *snapshot.working_sells, *self._directed})

    def _price(self, symbol: str) -> Decimal:
        price = self._snapshot.reference_prices.get(symbol)
        if price is None:
            return positive(self._snapshot.marks.get(symbol), "marks", symbol)
        return positive(price, "reference_prices", symbol)

    def _value_usd(self, symbol: str) -> Decimal:
        qty = self.worst_qty(symbol)
        return qty * self._price(symbol) if qty else ZERO

    def _short_usd(self, symbol: str) -> Decimal:
        """What the filled and the working shorts of a symbol reserve; approvals are counted when they are made."""
        if self.directed_qty(symbol, Side.SELL) <= ZERO:
            return ZERO
        held = self._snapshot.positions.get(symbol, ZERO)
        short, worst_short = max(ZERO, -held), max(ZERO, self._snapshot.working_sells.get(symbol, ZERO) - held)
        return (short * _SHORT_RESERVE + (worst_short - short) * WORST_FILL[Side.SELL]) * self._price(symbol)
