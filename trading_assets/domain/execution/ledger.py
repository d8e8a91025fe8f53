"""The ledger's records and their fold into a book: positions, cash, realised and unrealised profit. All Decimal.

Rounding happens once, where a record turns into money (1e-6); everything else is sums of such amounts, so
equity = flows + realised + unrealised + dividends - fees holds to the last digit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from trading_assets.domain.risk.protections import ClosedTrade
from trading_assets.domain.values import ZERO, Side, money


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution. `filled_at` is when it happened, `booked_at` when the account learnt of it, both UTC."""

    execution_id: str
    client_order_id: str
    account_id: str
    strategy: str
    symbol: str
    side: Side
    qty: Decimal
    price: Decimal
    filled_at: datetime
    booked_at: datetime
    session_date: date

    @property
    def signed_qty(self) -> Decimal:
        return self.qty if self.side is Side.BUY else -self.qty


class ActivityKind(StrEnum):
    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"
    DIVIDEND = "dividend"
    FEE_SEC = "fee_sec"
    FEE_TAF = "fee_taf"
    SPLIT = "split"
    CASH_IN_LIEU = "cash_in_lieu"
    TRANSFER = "transfer"
    DELISTING = "delisting"
    FEE = "fee"
    INTEREST = "interest"
    EXTERNAL_TRADE = "external_trade"
    BUST = "bust"


EXTERNAL = "external"
"""The book of what others hold and trade in an account: counted in risk and equity, never traded."""

FLOW_KINDS = frozenset({ActivityKind.DEPOSIT, ActivityKind.WITHDRAWAL})
SALE_FEE_KINDS = frozenset({ActivityKind.FEE_SEC, ActivityKind.FEE_TAF})
"""Charged on the sales of a session."""
FEE_KINDS = SALE_FEE_KINDS | {ActivityKind.FEE, ActivityKind.INTEREST}
"""What an account costs, whoever traded; interest that is earned is a negative cost."""
PRICED_KINDS = frozenset(
    {
        ActivityKind.CASH_IN_LIEU,
        ActivityKind.TRANSFER,
        ActivityKind.DELISTING,
        ActivityKind.EXTERNAL_TRADE,
        ActivityKind.BUST,
    }
)
"""Share activities that count in a trade's result: shares went, or came, for money or for what they had cost."""
SHARE_KINDS = PRICED_KINDS | {ActivityKind.SPLIT}

MARK_PRICE_DETAIL = "mark_price"
RETURN_STEP = Decimal("0.000000001")


@dataclass(frozen=True, slots=True)
class Activity:
    """A change of cash or shares that is no fill. `amount_usd` is signed: what the account receives is positive.

    A split carries the price of a new share in `detail["mark_price"]`, because the old mark is one of old shares. A
    transfer is one side of shares becoming others: its `amount_usd` is the cost that leaves (negative: that comes), and
    the two sides add up to no cash and no profit. It carries a price where the symbol has a new one. A bust takes an
    execution back at its price and names it, and its order, in `detail`.
    """

    activity_id: str
    account_id: str
    kind: ActivityKind
    at: datetime
    settles_on: date
    session_date: date
    strategy: str | None = None
    symbol: str | None = None
    qty_delta: Decimal = ZERO
    amount_usd: Decimal = ZERO
    detail: Mapping[str, str] = field(default_factory=dict)


Record = Fill | Activity

_RANKS = {
    kind: rank
    for rank, kind in enumerate(
        (
            "deposit",
            "dividend",
            "split",
            "transfer",
            "cash_in_lieu",
            "delisting",
            "fill",
            "external_trade",
            "bust",
            "fee_sec",
            "fee_taf",
            "fee",
            "interest",
            "withdrawal",
        )
    )
}


def replay_key(record: Record) -> tuple[datetime, int, datetime, str]:
    """The order in which records make a book: when the account learnt of them; at one instant actions of the open come
    before fills and fees after them; fills of one instant in order of happening."""
    if isinstance(record, Fill):
        return record.booked_at, _RANKS["fill"], record.filled_at, record.execution_id
    return record.at, _RANKS[record.kind.value], record.at, record.activity_id


@dataclass(slots=True)
class Position:
    """Shares one strategy holds of one symbol at average cost. `qty` and `cost_usd` are signed: a short is negative.

    `cost_usd` is what the open shares cost; `realised_usd` is cumulative. `entered_usd` is what all entries since the
    position was last flat cost, unsigned, and `realised_before_usd` what was realised by then.
    """

    qty: Decimal = ZERO
    cost_usd: Decimal = ZERO
    realised_usd: Decimal = ZERO
    entered_usd: Decimal = ZERO
    realised_before_usd: Decimal = ZERO

    @property
    def avg_cost(self) -> Decimal:
        """USD a share, zero when flat."""
        return self.cost_usd / self.qty if self.qty else ZERO

    def trade(self, signed_qty: Decimal, cost_usd: Decimal) -> None:
        """Add `signed_qty` shares that cost `cost_usd` (negative: proceeds).

        Same direction: the average moves. Against it: realised = closed x (price - average) x sign, average unchanged.
        Through zero: everything is closed, and the rest opens at the price of the trade.
        """
        old = self.qty
        new = old + signed_qty
        if old * signed_qty >= 0:
            self.qty, self.cost_usd = new, self.cost_usd + cost_usd
            self.entered_usd += abs(cost_usd)
            return
        if new * old >= 0:
            released = self.cost_usd if not new else money(self.cost_usd * -signed_qty / old)
            self.realised_usd -= cost_usd + released
            self.qty, self.cost_usd = new, self.cost_usd - released
            return
        closing_cost = money(cost_usd * -old / signed_qty)
        self.realised_usd -= closing_cost + self.cost_usd
        self.qty, self.cost_usd = new, cost_usd - closing_cost

    def unrealised(self, mark: Decimal) -> Decimal:
        return money(self.qty * mark) - self.cost_usd

    def closed_trade(self) -> Decimal:
        """Begin a new trade and return the last one's profit on prices as a fraction of what it was entered for."""
        earned, entered = self.realised_usd - self.realised_before_usd, self.entered_usd
        self.realised_before_usd, self.entered_usd = self.realised_usd, abs(self.cost_usd)
        return (earned / entered).quantize(RETURN_STEP) if entered else ZERO


class Book:
    """An account as its ledger makes it: cash, receivables (negative: payables), positions, cumulative results.

    `positions` is by (strategy, symbol), `marks` by symbol; `closed_trades` are returns by strategy, in order of time,
    and `trades` the trades themselves.
    Mutable, for a tight loop; not for sharing between threads.
    """

    __slots__ = (
        "account_id",
        "cash",
        "closed_trades",
        "dividends",
        "fees",
        "flows",
        "high_water_mark",
        "marks",
        "pending",
        "positions",
        "receivables",
        "trades",
    )

    def __init__(self, account_id: str) -> None:
        self.account_id = account_id
        self.cash = ZERO
        self.receivables = ZERO
        self.pending: list[tuple[date, Decimal]] = []
        self.positions: dict[tuple[str, str], Position] = {}
        self.marks: dict[str, Decimal] = {}
        self.closed_trades: dict[str, list[Decimal]] = {}
        self.trades: list[ClosedTrade] = []
        self.dividends = ZERO
        self.fees = ZERO
        self.flows = ZERO
        self.high_water_mark = ZERO

    def position(self, strategy: str, symbol: str) -> Position:
        return self.positions.setdefault((strategy, symbol), Position())

    def apply_fill(self, fill: Fill) -> None:
        """Cash moves on the trade date. A symbol never marked before is marked at the fill's price."""
        cost = money(fill.qty * fill.price) * fill.side.sign
        self._trade((fill.strategy, fill.symbol), fill.signed_qty, cost, fill.booked_at, fill.client_order_id)
        self.cash -= cost
        self.marks.setdefault(fill.symbol, fill.price)

    def apply_activity(self, activity: Activity) -> None:
        """Cash that settles after the activity's session waits in `receivables` for `settle`."""
        amount = money(activity.amount_usd)
        if activity.kind in SHARE_KINDS:
            self._apply_share_activity(activity, amount)
        elif activity.kind is ActivityKind.DIVIDEND:
            self.dividends += amount
        elif activity.kind in FEE_KINDS:
            self.fees -= amount
        else:
            self._apply_flow(amount)
        if activity.settles_on > activity.session_date:
            self.pending.append((activity.settles_on, amount))
            self.receivables += amount
        else:
            self.cash += amount

    def _apply_share_activity(self, activity: Activity, amount: Decimal) -> None:
        if activity.strategy is None or activity.symbol is None:
            raise ValueError(f"activity {activity.activity_id}: a {activity.kind} needs a strategy and a symbol")
        position = self.position(activity.strategy, activity.symbol)
        if activity.kind in {ActivityKind.SPLIT, ActivityKind.TRANSFER}:
            position.qty += activity.qty_delta
            position.cost_usd -= amount
            if MARK_PRICE_DETAIL in activity.detail:
                self.marks[activity.symbol] = Decimal(activity.detail[MARK_PRICE_DETAIL])
        else:
            self._trade((activity.strategy, activity.symbol), activity.qty_delta, -amount, activity.at, None)
            if MARK_PRICE_DETAIL in activity.detail:
                self.marks.setdefault(activity.symbol, Decimal(activity.detail[MARK_PRICE_DETAIL]))

    def _trade(
        self, key: tuple[str, str], signed_qty: Decimal, cost_usd: Decimal, at: datetime, order: str | None
    ) -> None:
        position = self.position(*key)
        before = position.qty
        position.trade(signed_qty, cost_usd)
        if before and before * position.qty <= 0:
            side = Side.BUY if before > 0 else Side.SELL
            earned = position.realised_usd - position.realised_before_usd
            self.trades.append(ClosedTrade(*key, side, at, earned, position.entered_usd, order))
            self.closed_trades.setdefault(key[0], []).append(position.closed_trade())

    def _apply_flow(self, amount: Decimal) -> None:
        """A deposit or withdrawal scales the high-water mark, so that it makes or hides no drawdown."""
        equity = self.equity
        self.flows += amount
        if equity > 0:
            self.high_water_mark = money(self.high_water_mark * (equity + amount) / equity)
        else:
            self.high_water_mark += amount

    def settle(self, session: date) -> None:
        """Turn receivables that settle on or before `session` into cash."""
        if not self.pending:
            return
        due = sum((amount for settles_on, amount in self.pending if settles_on <= session), ZERO)
        self.pending = [entry for entry in self.pending if entry[0] > session]
        self.receivables -= due
        self.cash += due

    def mark(self, prices: Mapping[str, Decimal]) -> None:
        """Value the book at raw `prices` by symbol; a symbol that is not in it keeps its mark."""
        self.marks.update(prices)
        self.high_water_mark = max(self.high_water_mark, self.equity)

    def value_of(self, strategy: str, symbol: str) -> Decimal:
        position = self.positions.get((strategy, symbol))
        return money(position.qty * self.marks[symbol]) if position and position.qty else ZERO

    @property
    def positions_value(self) -> Decimal:
        marks = self.marks
        return sum((money(p.qty * marks[symbol]) for (_, symbol), p in self.positions.items() if p.qty), ZERO)

    @property
    def equity(self) -> Decimal:
        return self.cash + self.receivables + self.positions_value

    @property
    def realised(self) -> Decimal:
        return sum((p.realised_usd for p in self.positions.values()), ZERO)

    @property
    def unrealised(self) -> Decimal:
        return self.positions_value - sum((p.cost_usd for p in self.positions.values()), ZERO)

    def quantity_of(self, symbol: str) -> Decimal:
        """Signed shares of `symbol` over all strategies."""
        return sum((p.qty for (_, held), p in self.positions.items() if held == symbol), ZERO)


def fold(account_id: str, records: Iterable[Record]) -> Book:
    """The book that `records`, in any order, make. What is due stays in `receivables` until `settle` is called.

    Marks and the high-water mark follow from the closes in between, which no record holds: `mark` the book afterwards
    and set `high_water_mark` from the recorded equity.
    """
    book = Book(account_id)
    for record in sorted(records, key=replay_key):
        if isinstance(record, Fill):
            book.apply_fill(record)
        else:
            book.apply_activity(record)
    return book
