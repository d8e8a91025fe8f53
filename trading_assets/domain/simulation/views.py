"""What others see of an account: the review, the record of equity and positions. Nothing is changed here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from trading_assets.domain.execution.account_activity import (
    day_trade_record,
    entry_terms,
    in_order,
    open_order,
    order_terms,
    proceeds_usd,
    unsettled_sales,
)
from trading_assets.domain.execution.exits import committed
from trading_assets.domain.execution.ledger import Book
from trading_assets.domain.execution.orders import WorkingOrder
from trading_assets.domain.journal import EquityPoint, PositionSnapshot
from trading_assets.domain.risk.circumstances import BrokerLink, Circumstances
from trading_assets.domain.risk.day_trades import DayTradeRecord
from trading_assets.domain.risk.exposure import WORST_FILL
from trading_assets.domain.risk.market_view import NOTHING_KNOWN, MarketView
from trading_assets.domain.risk.standings import Standings
from trading_assets.domain.risk.verdicts import AccountSnapshot
from trading_assets.domain.simulation.account import Account, required
from trading_assets.domain.simulation.moment import NO_CAPITAL, SIMULATED, Rules
from trading_assets.domain.values import QTY_STEP, ZERO, Side

UNKNOWN = Decimal("NaN")
"""A number that is missing: every rule that needs it denies."""


def circumstances(
    account: Account,
    rules: Rules,
    standings: Standings,
    at: datetime,
    reference_at: datetime,
    newest_close: datetime | None = None,
    approved_at: datetime | None = None,
) -> Circumstances:
    """What surrounds a review at `at` (UTC) with the prices of `reference_at`, the newest close unless one is given."""
    return Circumstances(
        account_id=account.book.account_id,
        broker=account.broker,
        configured_broker=rules.broker,
        terms=order_terms(at, rules.exits),
        entries=entry_terms(at, rules.entries, rules.exits),
        newest_close=newest_close or reference_at,
        reference_at=reference_at,
        standings=standings,
        approved_at=approved_at,
        # Of a real broker that nothing is heard of, everything is missing, and so no order passes there.
        link=None if account.broker == SIMULATED else account.link or BrokerLink(),
        is_margin_account=rules.is_margin_account,
        configured_number=rules.account_number,
    )


def account_snapshot(
    account: Account,
    at: datetime,
    reference_prices: Mapping[str, Decimal],
    gates: Mapping[str, str],
    market: MarketView = NOTHING_KNOWN,
    capital: Mapping[str, Decimal] = NO_CAPITAL,
    known: Circumstances | None = None,
) -> AccountSnapshot:
    """What the rules may look at: the book, the working orders, and the raw closes of the bars decided on.

    `capital` is the share of the account that each strategy calls its own. Without `known` circumstances a snapshot is
    for looking only: a review of it denies everything.
    """
    book = account.book
    positions: dict[str, Decimal] = defaultdict(Decimal)
    strategy_positions = {key: position.qty for key, position in book.positions.items()}
    for (_, symbol), qty in strategy_positions.items():
        positions[symbol] += qty
    working_buys: dict[str, Decimal] = defaultdict(Decimal)
    working_sells: dict[str, Decimal] = defaultdict(Decimal)
    strategy_working: dict[Side, dict[tuple[str, str], Decimal]] = {side: defaultdict(Decimal) for side in Side}
    working_buy_value = ZERO
    live = committed(account.working.values())
    for working in live:
        order = working.order
        side = working_buys if order.side is Side.BUY else working_sells
        side[order.symbol] += working.remaining
        strategy_working[order.side][order.strategy, order.symbol] += working.remaining
        if order.side is Side.BUY:
            working_buy_value += working.remaining * book.marks.get(order.symbol, UNKNOWN) * WORST_FILL[Side.BUY]
    return AccountSnapshot(
        at=at,
        session_date=account.session_date or at.date(),
        trading_state=account.states.account,
        equity_usd=book.equity,
        cash_usd=book.cash if known is None or known.is_margin_account else _settled_cash(account),
        start_equity_usd=account.start_equity_usd,
        high_water_mark_usd=book.high_water_mark,
        positions=positions,
        strategy_positions=strategy_positions,
        working_buys=working_buys,
        working_sells=working_sells,
        strategy_working_buys=strategy_working[Side.BUY],
        strategy_working_sells=strategy_working[Side.SELL],
        working_buy_value_usd=working_buy_value,
        reference_prices=reference_prices,
        marks=book.marks,
        gates=gates,
        tripped_breakers=frozenset(account.tripped),
        closed_trades=book.closed_trades,
        strategy_states=account.states.strategies,
        symbol_states=account.states.symbols,
        locks=account.locks,
        market=market,
        strategy_equity_usd=_strategy_equity(book, capital) if capital else {},
        sent_orders=in_order(account.session_orders),
        open_orders=[open_order(working) for working in live] if known else (),
        day_trades=_day_trades(account, at, live, positions) if known and known.is_margin_account else None,
        circumstances=known,
    )


def _settled_cash(account: Account) -> Decimal:
    sales = unsettled_sales([*account.unsettled, *account.session_fills], required(account.session_date))
    return account.book.cash - proceeds_usd(sales)


def _day_trades(
    account: Account, at: datetime, live: Sequence[WorkingOrder], positions: Mapping[str, Decimal]
) -> DayTradeRecord | None:
    return day_trade_record(
        at,
        account.session_date or at.date(),
        account.start_equity_usd,
        account.day_trades,
        account.session_fills,
        live,
        positions,
    )


def _strategy_equity(book: Book, capital: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """Each strategy's share of what was paid in, with what it won or lost on prices."""
    equity = {strategy: share * book.flows for strategy, share in capital.items()}
    for (strategy, symbol), position in book.positions.items():
        if strategy in equity:
            mark = book.marks.get(symbol, UNKNOWN) if position.qty else ZERO
            equity[strategy] += position.realised_usd + position.unrealised(mark)
    return equity


def equity_point(account: Account) -> EquityPoint:
    """The account at its last bar close."""
    book = account.book
    return EquityPoint(
        account_id=book.account_id,
        at=required(account.as_of),
        session_date=required(account.session_date),
        cash_usd=book.cash,
        receivable_usd=book.receivables,
        positions_usd=book.positions_value,
        equity_usd=book.equity,
        realised_usd=book.realised,
        unrealised_usd=book.unrealised,
        dividends_usd=book.dividends,
        fees_usd=book.fees,
        flows_usd=book.flows,
        high_water_mark_usd=book.high_water_mark,
    )


def position_snapshots(account: Account) -> list[PositionSnapshot]:
    """Every position the account ever held, at its last bar close."""
    book = account.book
    return [
        PositionSnapshot(
            account_id=book.account_id,
            session_date=required(account.session_date),
            strategy=strategy,
            symbol=symbol,
            as_of=required(account.as_of),
            qty=position.qty,
            avg_cost_usd=position.avg_cost.quantize(QTY_STEP),
            mark_price=book.marks[symbol],
            value_usd=book.value_of(strategy, symbol),
            realised_usd=position.realised_usd,
            unrealised_usd=position.unrealised(book.marks[symbol]),
        )
        for (strategy, symbol), position in sorted(book.positions.items())
    ]
