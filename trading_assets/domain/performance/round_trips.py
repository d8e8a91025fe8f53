"""Trades from flat to flat, and what they say about a strategy.

First-in, first-out lots belong to execution/fifo.py.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from itertools import groupby

from trading_assets.domain.execution.ledger import (
    PRICED_KINDS,
    SALE_FEE_KINDS,
    SHARE_KINDS,
    Activity,
    ActivityKind,
    Fill,
    Record,
    replay_key,
)
from trading_assets.domain.values import ZERO, Side, money


@dataclass(slots=True)
class RoundTrip:
    """One strategy's position in one symbol from flat to flat. Money in USD; times UTC; a short's quantities unsigned.

    `closed_at` is None while shares are held; then `net_pnl_usd` is what came back less what went out, and no result.
    `entry_qty` counts shares as they were bought, before any split.
    """

    strategy: str
    symbol: str
    is_long: bool
    opened_at: datetime
    opened_session: date
    closed_at: datetime | None = None
    closed_session: date | None = None
    fill_count: int = 0
    entry_qty: Decimal = ZERO
    entry_usd: Decimal = ZERO
    exit_qty: Decimal = ZERO
    exit_usd: Decimal = ZERO
    dividends_usd: Decimal = ZERO
    fees_usd: Decimal = ZERO
    open_qty: Decimal = field(default=ZERO, repr=False)

    @property
    def is_open(self) -> bool:
        return self.closed_at is None

    @property
    def gross_pnl_usd(self) -> Decimal:
        return (self.exit_usd - self.entry_usd) * (1 if self.is_long else -1)

    @property
    def net_pnl_usd(self) -> Decimal:
        return self.gross_pnl_usd + self.dividends_usd - self.fees_usd

    @property
    def return_ratio(self) -> float:
        return float(self.net_pnl_usd / self.entry_usd) if self.entry_usd else 0.0

    @property
    def entry_price(self) -> Decimal:
        return self.entry_usd / self.entry_qty

    @property
    def exit_price(self) -> Decimal | None:
        return self.exit_usd / self.exit_qty if self.exit_qty else None


def round_trips(records: Iterable[Record]) -> list[RoundTrip]:
    """Every round trip in `records` (one account's, in any order), by opening time; open ones included.

    A fill through zero is cut in two. Splits change shares at no price. A dividend belongs to the trade that was open
    before its ex-date's open. Fees are shared among the session's sales, see `shared_fees`.
    """
    records = sorted(records, key=replay_key)
    fees = shared_fees(records)
    trips: dict[tuple[str, str], list[RoundTrip]] = defaultdict(list)
    for record in records:
        if isinstance(record, Fill):
            cash = -record.signed_qty * record.price
            _move(
                trips[record.strategy, record.symbol],
                record,
                record.signed_qty,
                cash,
                fees.get(record.execution_id, ZERO),
            )
        elif record.strategy is not None and record.symbol is not None and record.kind in SHARE_KINDS:
            _move(trips[record.strategy, record.symbol], record, record.qty_delta, record.amount_usd, ZERO)
    _credit_dividends(trips, records)
    return sorted(
        (trip for each in trips.values() for trip in each),
        key=lambda trip: (trip.opened_at, trip.strategy, trip.symbol),
    )


def _move(trips: list[RoundTrip], record: Record, qty: Decimal, cash: Decimal, fee: Decimal) -> None:
    held = trips[-1].open_qty if trips else ZERO
    if held * (held + qty) < 0:
        closing_cash, closing_fee = money(cash * -held / qty), money(fee * -held / qty)
        _move(trips, record, -held, closing_cash, closing_fee)
        _move(trips, record, held + qty, cash - closing_cash, fee - closing_fee)
        return
    at = record.filled_at if isinstance(record, Fill) else record.at
    if not held:
        trips.append(RoundTrip(str(record.strategy), str(record.symbol), qty > 0, at, record.session_date))
    trip = trips[-1]
    trip.open_qty += qty
    trip.fees_usd += fee
    trip.fill_count += isinstance(record, Fill)
    if isinstance(record, Fill) or record.kind in PRICED_KINDS:
        if (qty > 0) is trip.is_long:
            trip.entry_qty, trip.entry_usd = trip.entry_qty + abs(qty), trip.entry_usd + abs(cash)
        else:
            trip.exit_qty, trip.exit_usd = trip.exit_qty + abs(qty), trip.exit_usd + abs(cash)
    if not trip.open_qty:
        trip.closed_at, trip.closed_session = at, record.session_date


def _credit_dividends(trips: Mapping[tuple[str, str], Sequence[RoundTrip]], records: Iterable[Record]) -> None:
    for record in records:
        if isinstance(record, Activity) and record.kind is ActivityKind.DIVIDEND and record.strategy and record.symbol:
            for trip in trips.get((record.strategy, record.symbol), ()):
                if trip.opened_at < record.at and (trip.closed_at is None or record.at <= trip.closed_at):
                    trip.dividends_usd += record.amount_usd


def shared_fees(records: Iterable[Record]) -> dict[str, Decimal]:
    """Each sale's share of its session's regulatory fees in USD, by execution id.

    By value for the SEC's fee, by shares for the TAF; differences of rounded running totals, so that the shares add up
    to the fee exactly.
    """
    records = list(records)
    sales: dict[date, list[Fill]] = defaultdict(list)
    for record in records:
        if isinstance(record, Fill) and record.side is Side.SELL:
            sales[record.session_date].append(record)
    shares: dict[str, Decimal] = defaultdict(lambda: ZERO)
    for record in records:
        if not isinstance(record, Activity) or record.kind not in SALE_FEE_KINDS:
            continue
        bearers = sorted(
            (
                sale
                for sale in sales.get(record.session_date, [])
                if record.strategy in (None, sale.strategy) and record.symbol in (None, sale.symbol)
            ),
            key=lambda sale: sale.execution_id,
        )
        by_value = record.kind is ActivityKind.FEE_SEC
        bases = [sale.qty * sale.price if by_value else sale.qty for sale in bearers]
        so_far = borne = ZERO
        for sale, basis in zip(bearers, bases, strict=True):
            so_far += basis
            total = money(-record.amount_usd * so_far / sum(bases, ZERO))
            shares[sale.execution_id] += total - borne
            borne = total
    return dict(shares)


@dataclass(frozen=True, slots=True)
class TradeStatistics:
    """Of closed trades only. Money in USD; None where there is nothing to divide by."""

    closed: int
    open: int
    win_rate: float | None
    profit_factor: float | None
    expectancy_usd: float | None
    payoff: float | None
    longest_win_streak: int
    longest_loss_streak: int


def trade_statistics(trips: Iterable[RoundTrip]) -> TradeStatistics:
    """Win rate, profit factor, expectancy, payoff (average win over average loss) and streaks, in closing order.

    A trade that ends at exactly zero is neither won nor lost, and ends a streak.
    """
    trips = list(trips)
    done = sorted((t for t in trips if t.closed_at is not None), key=lambda t: (t.closed_at, t.strategy, t.symbol))
    results = [float(trip.net_pnl_usd) for trip in done]
    wins, losses = [x for x in results if x > 0], [-x for x in results if x < 0]
    return TradeStatistics(
        closed=len(done),
        open=len(trips) - len(done),
        win_rate=len(wins) / len(results) if results else None,
        profit_factor=sum(wins) / sum(losses) if losses else None,
        expectancy_usd=sum(results) / len(results) if results else None,
        payoff=(sum(wins) / len(wins)) / (sum(losses) / len(losses)) if wins and losses else None,
        longest_win_streak=_longest([x > 0 for x in results]),
        longest_loss_streak=_longest([x < 0 for x in results]),
    )


def _longest(flags: Iterable[bool]) -> int:
    return max((len(list(group)) for flag, group in groupby(flags) if flag), default=0)
