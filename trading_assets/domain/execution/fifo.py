"""The first-in, first-out view of one position's records, for tax; the book itself keeps average cost."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from trading_assets.domain.execution.ledger import PRICED_KINDS, Activity, ActivityKind, Fill, Record, replay_key
from trading_assets.domain.values import ZERO, money, quantity


@dataclass(slots=True)
class Lot:
    """Open shares of one purchase (or short sale: both negative) and what they cost."""

    qty: Decimal
    cost_usd: Decimal


@dataclass(slots=True)
class FifoPosition:
    """Open lots, oldest first, and the cumulative result of closed ones."""

    lots: deque[Lot] = field(default_factory=deque)
    realised_usd: Decimal = ZERO

    @property
    def qty(self) -> Decimal:
        return sum((lot.qty for lot in self.lots), ZERO)

    @property
    def cost_usd(self) -> Decimal:
        return sum((lot.cost_usd for lot in self.lots), ZERO)

    def trade(self, signed_qty: Decimal, cost_usd: Decimal) -> None:
        """Close the oldest lots on the other side first; what is left opens a lot, and no cent is lost."""
        while signed_qty and self.lots and self.lots[0].qty * signed_qty < 0:
            lot = self.lots[0]
            closed = max(signed_qty, -lot.qty) if signed_qty < 0 else min(signed_qty, -lot.qty)
            closing_cost = cost_usd if closed == signed_qty else money(cost_usd * closed / signed_qty)
            released = lot.cost_usd if closed == -lot.qty else money(lot.cost_usd * -closed / lot.qty)
            self.realised_usd -= closing_cost + released
            lot.qty, lot.cost_usd = lot.qty + closed, lot.cost_usd - released
            signed_qty, cost_usd = signed_qty - closed, cost_usd - closing_cost
            if not lot.qty:
                self.lots.popleft()
        if signed_qty:
            self.lots.append(Lot(signed_qty, cost_usd))

    def split(self, qty_delta: Decimal) -> None:
        """Spread a split's new shares over the lots in proportion; the last lot takes the rest of the rounding."""
        old = self.qty
        left = qty_delta
        for lot in self.lots:
            share = left if lot is self.lots[-1] else quantity(qty_delta * lot.qty / old)
            lot.qty += share
            left -= share

    def distribute(self, amount_usd: Decimal) -> None:
        """Spread cost that leaves without a share over the lots in proportion; the last lot takes the rest."""
        old = self.qty
        left = amount_usd
        for lot in self.lots:
            share = left if lot is self.lots[-1] else money(amount_usd * lot.qty / old)
            lot.cost_usd -= share
            left -= share

    def unrealised(self, mark: Decimal) -> Decimal:
        return money(self.qty * mark) - self.cost_usd


def fifo(records: Iterable[Record]) -> FifoPosition:
    """What the fills and share activities of one position (a strategy's symbol), in any order, leave."""
    position = FifoPosition()
    for record in sorted(records, key=replay_key):
        if isinstance(record, Fill):
            position.trade(record.signed_qty, money(record.qty * record.price) * record.side.sign)
        elif isinstance(record, Activity) and record.kind is ActivityKind.SPLIT:
            position.split(record.qty_delta)
        elif record.kind in PRICED_KINDS and record.qty_delta:
            position.trade(record.qty_delta, -record.amount_usd)
        elif record.kind in PRICED_KINDS:
            position.distribute(record.amount_usd)
    return position
