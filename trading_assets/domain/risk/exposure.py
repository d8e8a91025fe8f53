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

    __slots__ = ("_approved", "_approved_usd", "_gross_usd", "_short_reserve_usd", "_snapshot", "_values_usd")

    def __init__(self, snapshot: AccountSnapshot) -> None:
        self._snapshot = snapshot
        self._approved: dict[tuple[Side, str, str | None], Decimal] = {}
        self._approved_usd = ZERO
        self._values_usd: dict[str, Decimal] | None = None
        self._gross_usd = ZERO
        self._short_reserve_usd: Decimal | None = None

    def directed_qty(self, symbol: str, side: Side) -> Decimal:
        """Shares held along `side` when all orders of that side fill and none of the other; negative: against it."""
        held = finite(f"positions[{symbol}]", self._snapshot.positions.get(symbol, ZERO))
        approved = self._approved.get((side, symbol, None), ZERO)
        if side is Side.BUY:
            return held + unsigned(f"working_buys[{symbol}]", self._snapshot.working_buys.get(symbol, ZERO)) + approved
        return unsigned(f"working_sells[{symbol}]", self._snapshot.working_sells.get(symbol, ZERO)) + approved - held

    def closable_qty(self, symbol: str, side: Side) -> Decimal:
        """Shares that an order of `side` can surely close: beyond them it would open or flip the position."""
        return max(ZERO, -self.directed_qty(symbol, side))

    def opening_qty(self, intent: Intent) -> Decimal:
        """Shares of the intent beyond what it surely closes."""
        return max(ZERO, positive("qty", intent.qty) - self.closable_qty(intent.symbol, intent.side))

    def worst_qty(self, symbol: str) -> Decimal:
        """The largest absolute position that any subset of the orders can lead to."""
        return max(abs(self.directed_qty(symbol, Side.BUY)), abs(self.directed_qty(symbol, Side.SELL)))

    def strategy_long_qty(self, strategy: str, symbol: str) -> Decimal:
        """Shares that the strategy owns when all its sells fill and none of its buys; negative: it is short."""
        key = (strategy, symbol)
        held = finite(f"strategy_positions[{key}]", self._snapshot.strategy_positions.get(key, ZERO))
        working = unsigned(f"strategy_working_sells[{key}]", self._snapshot.strategy_working_sells.get(key, ZERO))
        return held - working - self._approved.get((Side.SELL, symbol, strategy), ZERO)

    def gross_without_usd(self, symbol: str) -> Decimal:
        """Sum of the worst absolute values of all other symbols."""
        if self._values_usd is None:
            values_usd = {held: self._value_usd(held) for held in sorted(self._symbols())}
            self._gross_usd = sum(values_usd.values(), ZERO)
            self._values_usd = values_usd
        return self._gross_usd - self._values_usd.get(symbol, ZERO)

    def reserved_usd(self) -> Decimal:
        """Cash that working orders, approvals of this moment and short positions may still need."""
        if self._short_reserve_usd is None:
            self._short_reserve_usd = sum((self._short_usd(symbol) for symbol in sorted(self._symbols())), ZERO)
        working_usd = unsigned("working_buy_value_usd", self._snapshot.working_buy_value_usd)
        return working_usd + self._approved_usd + self._short_reserve_usd

    def approve(self, intent: Intent, qty: Decimal) -> None:
        """Count `qty` shares of the intent as an order that may fill."""
        price = positive(f"reference_prices[{intent.symbol}]", self._snapshot.reference_prices.get(intent.symbol))
        opening_qty = max(ZERO, qty - self.closable_qty(intent.symbol, intent.side))
        self._approved_usd += opening_qty * price * WORST_FILL[intent.side]
        for key in ((intent.side, intent.symbol, None), (intent.side, intent.symbol, intent.strategy)):
            self._approved[key] = self._approved.get(key, ZERO) + qty
        if self._values_usd is not None:
            value_usd = self._value_usd(intent.symbol)
            self._gross_usd += value_usd - self._values_usd.get(intent.symbol, ZERO)
            self._values_usd[intent.symbol] = value_usd

    def _symbols(self) -> set[str]:
        snapshot = self._snapshot
        return {
            *snapshot.positions,
            *snapshot.working_buys,
            *snapshot.working_sells,
            *(key[1] for key in self._approved),
        }

    def _price(self, symbol: str) -> Decimal:
        price = self._snapshot.reference_prices.get(symbol)
        if price is None:
            return positive(f"marks[{symbol}]", self._snapshot.marks.get(symbol))
        return positive(f"reference_prices[{symbol}]", price)

    def _value_usd(self, symbol: str) -> Decimal:
        qty = self.worst_qty(symbol)
        return qty * self._price(symbol) if qty else ZERO

    def _short_usd(self, symbol: str) -> Decimal:
        """What the filled and the working shorts of a symbol reserve; approvals are counted when they are made."""
        held = finite(f"positions[{symbol}]", self._snapshot.positions.get(symbol, ZERO))
        working = unsigned(f"working_sells[{symbol}]", self._snapshot.working_sells.get(symbol, ZERO))
        short, worst_short = max(ZERO, -held), max(ZERO, working - held)
        if not worst_short:
            return ZERO
        return (short * _SHORT_RESERVE + (worst_short - short) * WORST_FILL[Side.SELL]) * self._price(symbol)
