"""What an account at a venue holds, and the records of how that came to be: executions, busts, corrections, bookings.

The orders that the executions are of belong in `venue`.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from trading_assets.domain.execution.broker_records import ActivityRecord, BrokerActivity, BrokerFill, BrokerPosition
from trading_assets.domain.execution.ledger import Activity, ActivityKind, Fill, fold
from trading_assets.domain.execution.venue_rules import Refusal, RefusalKind
from trading_assets.domain.market.sessions import NEW_YORK
from trading_assets.domain.values import ZERO

WHOLE_ACCOUNT = "account"
"""A broker knows no strategies: all positions are those of one."""
_NAMESPACE = uuid.UUID("5ca0a5f6-27e5-4c5c-9d2b-5e5d6cf3c4a1")


class VenueLedger:
    """Cash and shares of one account. An execution's id is the same here, in the records and in the updates."""

    def __init__(self, account_number: str, opening_cash_usd: Decimal) -> None:
        self.account_number, self.opening_cash_usd = account_number, opening_cash_usd
        self.last_prices: dict[str, Decimal] = {}
        self._fills: dict[str, Fill] = {}
        self._bookings: list[Activity] = []
        self._records: list[tuple[datetime, ActivityRecord]] = []
        self._fold()

    def new_id(self, kind: str, number: int) -> str:
        """A UUID that follows from what it is for."""
        return str(uuid.uuid5(_NAMESPACE, f"{self.account_number}/{kind}/{number}"))

    def add(self, fills: Iterable[Fill], last_price: Decimal) -> None:
        """Count executions of one symbol, whose last price in the market is `last_price`."""
        for fill in fills:
            self._fills[fill.execution_id] = fill
            self.last_prices[fill.symbol] = last_price
        self._fold()

    def record(
        self,
        fill: Fill,
        broker_order_id: str,
        leaves_qty: Decimal,
        at: datetime,
        kind: str = "fill",
        previous: str | None = None,
    ) -> BrokerFill:
        """The record of an execution, or of what undid the execution `previous`, made at `at`."""
        executed = sum((one.qty for one in self._of_order(fill.client_order_id)), ZERO)
        execution_id = str(uuid.UUID(hex=fill.execution_id))
        record = BrokerFill(
            activity_id=f"{_timestamp(at)}::{execution_id}",
            execution_id=execution_id,
            broker_order_id=broker_order_id,
            symbol=fill.symbol,
            side=fill.side,
            qty=fill.qty,
            price=fill.price,
            at=fill.filled_at if previous is None else at,
            kind=kind,
            previous_execution_id=previous,
            cum_qty=executed,
            leaves_qty=leaves_qty,
        )
        self._records.append((at, record))
        return record

    def undo(
        self, execution_id: str, at: datetime, qty: Decimal | None = None, price: Decimal | None = None
    ) -> tuple[Fill, Fill]:
        """Take an execution out, and put one of `qty` and `price` in its place if given; returns the old and the new.

        The new one is what the record says, and counts for nothing after a bust. Raises Refusal.
        """
        old = self._fills.pop(uuid.UUID(execution_id).hex, None)
        if old is None:
            raise Refusal(RefusalKind.NOT_FOUND, f"execution not found for {execution_id}")
        new_id = uuid.UUID(self.new_id("undone", len(self._records))).hex
        new = replace(old, execution_id=new_id, booked_at=at)
        if qty is not None and price is not None:
            new = replace(new, qty=qty, price=price)
            self._fills[new.execution_id] = new
        self._fold()
        return old, new

    def book(self, kind: str, amount_usd: Decimal, symbol: str | None, at: datetime) -> str:
        """Move cash for another reason than an execution, such as DIV or FEE; returns the activity's id."""
        activity_id = f"{_timestamp(at)}::{self.new_id('activity', len(self._records))}"
        day = at.astimezone(NEW_YORK).date()
        self._records.append((at, BrokerActivity(activity_id, kind, amount_usd, day, symbol=symbol)))
        kept = Activity(activity_id, self.account_number, ActivityKind.DEPOSIT, at, day, day, amount_usd=amount_usd)
        self._bookings.append(kept)
        self._fold()
        return activity_id

    def records(self) -> list[tuple[datetime, ActivityRecord]]:
        """Executions, busts, corrections and bookings with the moment they were recorded at, oldest first."""
        return sorted(self._records, key=lambda record: (record[0], record[1].activity_id))

    def executed(self, client_order_id: str) -> tuple[Decimal, Decimal | None]:
        """Shares of an order that were executed, and their average price; None for no shares."""
        fills = self._of_order(client_order_id)
        qty = sum((fill.qty for fill in fills), ZERO)
        return qty, sum((fill.qty * fill.price for fill in fills), ZERO) / qty if qty else None

    def held(self, symbol: str) -> Decimal:
        """Shares of the symbol, signed."""
        return self._book.position(WHOLE_ACCOUNT, symbol).qty

    @property
    def cash_usd(self) -> Decimal:
        return self._book.cash

    @property
    def equity_usd(self) -> Decimal:
        return self.cash_usd + sum((value for _, value in self._values()), ZERO)

    @property
    def gross_usd(self) -> Decimal:
        """What long and short positions are worth, added up."""
        return sum((abs(value) for _, value in self._values()), ZERO)

    def positions(self) -> list[BrokerPosition]:
        """What is held, by symbol."""
        positions = []
        for symbol, value in self._values():
            position = self._book.position(WHOLE_ACCOUNT, symbol)
            positions.append(
                BrokerPosition(
                    symbol=symbol,
                    qty=position.qty,
                    avg_entry_price=position.avg_cost,
                    qty_available=position.qty,
                    current_price=self.last_prices[symbol],
                    market_value_usd=value,
                    cost_usd=position.cost_usd,
                )
            )
        return positions

    def _values(self) -> Iterator[tuple[str, Decimal]]:
        for (_, symbol), position in sorted(self._book.positions.items()):
            if position.qty:
                yield symbol, position.qty * self.last_prices[symbol]

    def _of_order(self, client_order_id: str) -> list[Fill]:
        return [fill for fill in self._fills.values() if fill.client_order_id == client_order_id]

    def _fold(self) -> None:
        # Anew each time: a bust takes an execution out of the middle of what came after it.
        self._book = fold(self.account_number, [*self._bookings, *self._fills.values()])
        self._book.cash += self.opening_cash_usd


def _timestamp(at: datetime) -> str:
    return f"{at:%Y%m%d%H%M%S}{at.microsecond // 1000:03d}"
