"""What a broker's records become in the ledger: fills of our orders, trades of others, busts, cash and share bookings.

A pure function of the records and of what is booked already, so that the same records are booked once, in any order.
Whether both sides then agree is the business of `reconciliation`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import ROUND_DOWN, Decimal

from trading_assets.domain.execution.broker_records import ActivityRecord, BrokerActivity, BrokerFill
from trading_assets.domain.execution.ledger import EXTERNAL, MARK_PRICE_DETAIL, Activity, ActivityKind, Fill
from trading_assets.domain.execution.order_history import BUST, Incident, IncidentKind
from trading_assets.domain.execution.orders import Order
from trading_assets.domain.market.sessions import newest_session
from trading_assets.domain.values import QTY_STEP, ZERO, money

EXECUTION_DETAIL = "execution_id"
EXECUTED_AT_DETAIL = "executed_at"
ORDER_DETAIL = "client_order_id"
SOURCE_DETAIL = "broker_activity_id"
"""Under which a booked activity names the broker's own record of it; one record may be booked in several parts."""

_K = ActivityKind
_FLOWS = frozenset({"CSD", "CSW", "JNLC", "ACATC", "TRANS", "CSR"})
_DIVIDENDS = frozenset({"DIV", "DIVCGL", "DIVCGS", "DIVNRA", "DIVROC", "DIVTXEX", "DIVFT", "DIVTW"})
_SHARES_OF_OLD_ONES = frozenset({"SPLIT", "SSP", "REORG"})
_KINDS: Mapping[str, ActivityKind] = {
    **dict.fromkeys(_DIVIDENDS, _K.DIVIDEND),
    **dict.fromkeys(("FEE", "DIVFEE", "CFEE", "PTC"), _K.FEE),
    **dict.fromkeys(("INT", "INTNRA", "INTTW"), _K.INTEREST),
}
"""Cash that Alpaca books, by its word for it. Flows are told apart by their sign."""
_FEES: Mapping[str, ActivityKind] = {"REG": _K.FEE_SEC, "TAF": _K.FEE_TAF}


@dataclass(frozen=True, slots=True)
class Booked:
    """What the ledger knows before: our `orders` by the broker's id, standing `fills` and trades of others by execution
    id, the ids in `sources` of all broker's records that are booked, signed shares by (strategy, symbol), marks."""

    account_id: str
    orders: Mapping[str, Order] = field(default_factory=dict)
    fills: Mapping[str, Fill] = field(default_factory=dict)
    external_trades: Mapping[str, Activity] = field(default_factory=dict)
    sources: Collection[str] = ()
    holdings: Mapping[tuple[str, str], Decimal] = field(default_factory=dict)
    marks: Mapping[str, Decimal] = field(default_factory=dict)


@dataclass(slots=True)
class Bookings:
    """New rows of the ledger, and what a person has to look at: what could not be booked, or not for sure."""

    fills: list[Fill] = field(default_factory=list)
    activities: list[Activity] = field(default_factory=list)
    incidents: set[Incident] = field(default_factory=set)


def book(booked: Booked, records: Iterable[ActivityRecord], at: datetime) -> Bookings:
    """Book at `at` (UTC) the records that are not booked yet. Changes nothing that was given."""
    entry = _Entry(booked, at)
    news = {record.activity_id: record for record in records}
    for record in sorted(news.values(), key=_by_time):
        if isinstance(record, BrokerFill):
            entry.execution(record)
        elif record.activity_id not in booked.sources:
            entry.activity(record)
    return entry.made


class _Entry:
    """One pass over new records; what it books counts as booked for the records that follow."""

    def __init__(self, booked: Booked, at: datetime) -> None:
        self.booked, self.at, self.made = booked, at, Bookings()
        self.fills, self.others = dict(booked.fills), dict(booked.external_trades)
        self.known = {*booked.sources, *self.fills, *self.others}

    def execution(self, record: BrokerFill) -> None:
        if record.execution_id in self.known:
            return
        self.known.add(record.execution_id)
        if record.previous_execution_id is not None and not self._undo(record, record.previous_execution_id):
            self.made.incidents.add(Incident(IncidentKind.UNDOES_THE_UNKNOWN, record.execution_id))
        if record.kind != BUST:
            self._book_execution(record)

    def _book_execution(self, record: BrokerFill) -> None:
        if record.side is None or not record.qty or not record.price or record.at is None:
            self.made.incidents.add(Incident(IncidentKind.RECORD_UNREADABLE, record.execution_id))
            return
        order = self.booked.orders.get(record.broker_order_id)
        if order is None:
            amount = -record.side.sign * money(record.qty * record.price)
            trade = self._activity(record.execution_id, _K.EXTERNAL_TRADE, amount, record.symbol)
            detail = {
                EXECUTION_DETAIL: record.execution_id,
                EXECUTED_AT_DETAIL: record.at.isoformat(),
                MARK_PRICE_DETAIL: str(record.price),
            }
            trade = replace(
                trade, strategy=EXTERNAL, qty_delta=record.side.sign * record.qty, detail={**trade.detail, **detail}
            )
            self.others[record.execution_id] = trade
            self.made.activities.append(trade)
            return
        fill = Fill(
            execution_id=record.execution_id,
            client_order_id=order.client_order_id,
            account_id=self.booked.account_id,
            strategy=order.strategy,
            symbol=record.symbol,
            side=record.side,
            qty=record.qty,
            price=record.price,
            filled_at=record.at,
            booked_at=max(self.at, record.at),
            session_date=newest_session(self.at),
        )
        self.fills[fill.execution_id] = fill
        self.made.fills.append(fill)

    def _undo(self, record: BrokerFill, execution_id: str) -> bool:
        """Take an execution back at its own price; whether there was one."""
        fill, other = self.fills.pop(execution_id, None), self.others.pop(execution_id, None)
        detail = {EXECUTION_DETAIL: execution_id}
        if fill is not None:
            cost = money(fill.qty * fill.price) * fill.side.sign
            undone = self._activity(f"{record.execution_id}/undo", _K.BUST, cost, fill.symbol)
            strategy, qty = fill.strategy, -fill.signed_qty
            detail[ORDER_DETAIL] = fill.client_order_id
        elif other is not None:
            undone = self._activity(f"{record.execution_id}/undo", _K.BUST, -other.amount_usd, other.symbol)
            strategy, qty = EXTERNAL, -other.qty_delta
        else:
            return False
        source = {SOURCE_DETAIL: record.execution_id}
        self.made.activities.append(replace(undone, strategy=strategy, qty_delta=qty, detail=detail | source))
        return True

    def activity(self, record: BrokerActivity) -> None:
        if record.amount_usd is None and not record.qty:
            self.made.incidents.add(Incident(IncidentKind.RECORD_UNREADABLE, record.activity_id))
            return
        amount = record.amount_usd or ZERO
        kind = _FEES.get(record.sub_kind.upper(), _KINDS.get(record.kind))
        if kind is None and record.kind in _FLOWS:
            kind = _K.DEPOSIT if amount >= 0 else _K.WITHDRAWAL
        if record.kind in _SHARES_OF_OLD_ONES and record.qty and record.symbol:
            self._split(record, record.symbol, record.qty)
        elif kind is not None and not record.qty:
            self.made.activities.append(self._cash(record, kind, amount))
        else:
            self._book_unknown(record, amount)

    def _cash(self, record: BrokerActivity, kind: ActivityKind, amount: Decimal) -> Activity:
        booked = self._activity(record.activity_id, kind, amount, record.symbol)
        holders = [strategy for strategy, symbol in self.booked.holdings if symbol == record.symbol]
        if kind is _K.DIVIDEND and len(holders) == 1:
            booked = replace(booked, strategy=holders[0])
        return booked

    def _split(self, record: BrokerActivity, symbol: str, delta: Decimal) -> None:
        """Spread new shares for old ones over the strategies that hold them, the largest holder taking the rest."""
        held = {key: qty for key, qty in self.booked.holdings.items() if key[1] == symbol and qty}
        old = sum(held.values(), ZERO)
        if not old or not old + delta:
            self._book_unknown(record, record.amount_usd or ZERO)
            return
        mark = self.booked.marks.get(symbol)
        price = {} if mark is None else {MARK_PRICE_DETAIL: str((mark * old / (old + delta)).quantize(QTY_STEP))}
        for strategy, share in _shares(held, delta, old):
            part = self._activity(record.activity_id, _K.SPLIT, ZERO, symbol, strategy)
            part = replace(part, strategy=strategy, qty_delta=share, detail={**part.detail, **price})
            self.made.activities.append(part)
        if record.amount_usd:
            self.made.activities.append(self._activity(record.activity_id, _K.FEE, record.amount_usd, symbol, "cash"))

    def _book_unknown(self, record: BrokerActivity, amount: Decimal) -> None:
        """Cash and shares are the broker's whatever it calls them: cash counts as a flow, shares as another's."""
        self.made.incidents.add(Incident(IncidentKind.UNKNOWN_ACTIVITY, record.activity_id))
        if record.qty and record.symbol:
            booked = self._activity(record.activity_id, _K.EXTERNAL_TRADE, amount, record.symbol)
            price = record.per_share_usd or self.booked.marks.get(record.symbol, ZERO)
            detail = {**booked.detail, MARK_PRICE_DETAIL: str(price)}
            booked = replace(booked, strategy=EXTERNAL, qty_delta=record.qty, detail=detail)
        else:
            kind = _K.DEPOSIT if amount >= 0 else _K.WITHDRAWAL
            booked = self._activity(record.activity_id, kind, amount, record.symbol)
        self.made.activities.append(booked)

    def _activity(
        self, source: str, kind: ActivityKind, amount: Decimal, symbol: str | None, part: str = ""
    ) -> Activity:
        day = newest_session(self.at)
        return Activity(
            activity_id=f"{source}/{part}" if part else source,
            account_id=self.booked.account_id,
            kind=kind,
            at=self.at,
            settles_on=day,
            session_date=day,
            symbol=symbol,
            amount_usd=amount,
            detail={SOURCE_DETAIL: source},
        )


def _shares(held: Mapping[tuple[str, str], Decimal], delta: Decimal, old: Decimal) -> Iterator[tuple[str, Decimal]]:
    """Each strategy's part of `delta` shares, in proportion to what it holds; the parts add up to it."""
    left = delta
    *others, (largest, _) = sorted(held.items(), key=lambda entry: (abs(entry[1]), entry[0]))
    for (strategy, _), qty in others:
        share = (delta * qty / old).quantize(QTY_STEP, ROUND_DOWN)
        left -= share
        yield strategy, share
    yield largest[0], left


def _by_time(record: ActivityRecord) -> tuple[str, str]:
    when = record.at.isoformat() if isinstance(record, BrokerFill) and record.at else ""
    if isinstance(record, BrokerActivity) and record.on:
        when = record.on.isoformat()
    return when, record.activity_id
