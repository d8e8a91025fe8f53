"""The time loop: one account walks through bar closes, for one moment or for ten years of them.

A moment has three phases: take fills, decide, submit. A backfill runs all three at every bar close; live jobs run the
same functions one phase at a time. No clock and no I/O: everything comes in as arguments and goes out as a journal.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from typing import TypeVar

from trading_assets.domain.execution.account_activity import (
    LOOK_BACK,
    can_have_day_trades,
    day_trade_record,
    day_trades_of,
    open_order,
    order_terms,
    proceeds_usd,
    sent_order,
    unsettled_sales,
)
from trading_assets.domain.execution.corporate_actions import actions_on_book
from trading_assets.domain.execution.exits import ExitPlan, committed, follow_positions, with_legs
from trading_assets.domain.execution.fees import fee_activities
from trading_assets.domain.execution.fill_model import Auctions, FillModel
from trading_assets.domain.execution.ids import activity_id, client_order_id
from trading_assets.domain.execution.ledger import Activity, ActivityKind, Book, Fill
from trading_assets.domain.execution.matching import work_bar
from trading_assets.domain.execution.orders import (
    STOPS,
    Order,
    OrderStatus,
    OrderType,
    TimeInForce,
    WorkingOrder,
    expire_day_orders,
)
from trading_assets.domain.journal import Approval, BreakerEvent, BreakerState, EquityPoint, Journal, PositionSnapshot
from trading_assets.domain.market.bars import Bar
from trading_assets.domain.market.corporate_actions import CorporateAction
from trading_assets.domain.market.sessions import Session
from trading_assets.domain.risk.activity import SentOrder
from trading_assets.domain.risk.breakers import (
    DEFAULT_RULES,
    Breaker,
    BreakerAction,
    BreakerRule,
    Trip,
    due_clearances,
    evaluate,
    judge,
    losing_streak,
    missing_share,
)
from trading_assets.domain.risk.circumstances import BrokerLink, Circumstances
from trading_assets.domain.risk.day_trades import DayTradeRecord
from trading_assets.domain.risk.exposure import WORST_FILL
from trading_assets.domain.risk.intents import SizeRule, intents_from_targets
from trading_assets.domain.risk.limit_changes import Schedule
from trading_assets.domain.risk.limits import RiskLimits
from trading_assets.domain.risk.market_view import NO_HISTORY, NOTHING_KNOWN, MarketHistory, MarketView
from trading_assets.domain.risk.protections import Lock, Protection, TradeRecord, locks_at
from trading_assets.domain.risk.regime import UNKNOWN_REGIME, Regime
from trading_assets.domain.risk.review import review
from trading_assets.domain.risk.standings import NO_STANDINGS, Standings
from trading_assets.domain.risk.trading_states import ALL_ACTIVE, TradingStates
from trading_assets.domain.risk.verdicts import AccountSnapshot, Intent, Outcome, Purpose, Verdict
from trading_assets.domain.strategy.targets import Target
from trading_assets.domain.values import QTY_STEP, ZERO, Side, plain

T = TypeVar("T")

NO_CAPITAL: Mapping[str, Decimal] = {}

SIMULATED = "simulated"

OPERATOR = "operator"
"""The strategy version of an intent that no strategy decided."""

UNKNOWN = Decimal("NaN")
"""A number that is missing: every rule that needs it denies."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One bar close of a session: what closed at `at` (UTC), what takes effect, what the strategies want.

    `actions` are those with this session as ex-date; `gates` is the state of the quality gate by symbol; `clearances`
    are what happened to breakers since the moment before without the time loop: a person cleared one, or the record of
    orders tripped it. `states` are those that persons declared, `regime` is that of the newest session's close.
    `history` is given where limits ask for what it says. `standings` say how symbols stood when.
    """

    at: datetime
    session: Session
    bars: Sequence[Bar]
    actions: Sequence[CorporateAction]
    targets: Sequence[Target]
    gates: Mapping[str, str]
    clearances: Sequence[BreakerEvent] = ()
    states: TradingStates = ALL_ACTIVE
    regime: Regime = UNKNOWN_REGIME
    history: MarketHistory = NO_HISTORY
    standings: Standings = NO_STANDINGS

    @property
    def market(self) -> MarketView:
        """What the bars up to this close say about symbols."""
        volumes = {bar.symbol: bar.volume for bar in self.bars}
        return self.history.view(self.at, self.session.date, volumes)

    @property
    def closes(self) -> dict[str, Decimal]:
        """Raw closing prices by symbol."""
        return {bar.symbol: bar.close for bar in self.bars}

    @property
    def closes_session(self) -> bool:
        return self.at == self.session.closes_at


@dataclass(frozen=True, slots=True)
class Rules:
    """What the account trades by. `exits` are the protective exits by strategy; one that is not in it has none.

    `limits` hold until the first of the `changes`, each of which holds until the next. `sizes` says by strategy how
    many shares a target is, `capital` the share of the account that is its own. `breakers` are those that are
    configured, by name, beside the ones that the limits have.
    """

    limits: RiskLimits
    fill_model: FillModel
    exits: Mapping[str, ExitPlan] = field(default_factory=dict)
    changes: Schedule = ()
    sizes: Mapping[str, SizeRule] = field(default_factory=dict)
    breakers: Mapping[str, BreakerRule] = field(default_factory=dict)
    protections: Sequence[Protection] = ()
    broker: str = SIMULATED
    is_margin_account: bool = True
    capital: Mapping[str, Decimal] = field(default_factory=dict)

    def own_capital(self, limits: RiskLimits) -> Mapping[str, Decimal]:
        """The capital by strategy where `limits` hold strategies to it."""
        return NO_CAPITAL if limits.max_strategy_exposure is None else self.capital

    @property
    def reads_market(self) -> bool:
        """Whether some limit, now or after a change, asks for a market history."""
        return any(limits.reads_market for limits in (self.limits, *(limits for _, limits in self.changes)))

    def limits_at(self, at: datetime) -> RiskLimits:
        """The limits that hold at `at` (UTC)."""
        return next((limits for begin, limits in reversed(self.changes) if begin <= at), self.limits)


@dataclass(slots=True)
class Account:
    """An account between two moments. `as_of` is the last bar close it has lived through (UTC), None before the first.

    `tripped` holds the event that latched each breaker, `breaker_events` the number of the last event of each, and
    `cleared_at` when one that is not latched was last cleared. `stop_orders` are the ids of all its stop orders.
    `states` and `locks` are what `take_notice` found last. `session_orders` are those decided on in the session,
    `day_trades` were made in the sessions before it, `unsettled` are sales whose money is not settled in it.
    """

    book: Book
    working: dict[str, WorkingOrder] = field(default_factory=dict)
    tripped: dict[str, BreakerEvent] = field(default_factory=dict)
    breaker_events: dict[str, int] = field(default_factory=dict)
    cleared_at: dict[str, datetime] = field(default_factory=dict)
    stop_orders: set[str] = field(default_factory=set)
    states: TradingStates = ALL_ACTIVE
    locks: Sequence[Lock] = ()
    broker: str = SIMULATED
    session_fills: list[Fill] = field(default_factory=list)
    session_orders: list[SentOrder] = field(default_factory=list)
    day_trades: dict[date, int] = field(default_factory=dict)
    unsettled: list[Fill] = field(default_factory=list)
    start_equity_usd: Decimal = ZERO
    session_date: date | None = None
    as_of: datetime | None = None


def open_book(
    account_id: str, opening_cash_usd: Decimal, inception: Session, broker: str = SIMULATED
) -> tuple[Account, Journal]:
    """A new account with its first deposit, ready for the first moment of session `inception`."""
    deposit = Activity(
        activity_id=activity_id(account_id, ActivityKind.DEPOSIT, inception.date, None, None),
        account_id=account_id,
        kind=ActivityKind.DEPOSIT,
        at=inception.opens_at,
        settles_on=inception.date,
        session_date=inception.date,
        amount_usd=opening_cash_usd,
    )
    account = Account(book=Book(account_id), broker=broker)
    account.book.apply_activity(deposit)
    account.book.high_water_mark = opening_cash_usd
    account.start_equity_usd = opening_cash_usd
    return account, Journal(activities=[deposit])


def walk(
    account: Account,
    moments: Iterable[Moment],
    rules: Rules,
    recorded: Mapping[str, Verdict],
    sent: Collection[str],
    journal: Journal,
) -> None:
    """Live through `moments` in time order, all three phases at each. `recorded` verdicts, by intent id, are kept.

    Of the recorded approvals only the intents in `sent` were used: one that lapsed or was refused is not sent now.
    """
    for moment in moments:
        advance(account, moment, rules, journal)
        permitted = decide(account, moment, rules, recorded, journal, approved_at=moment.at)
        used = [
            (verdict, approval)
            for verdict, approval in permitted
            if approval.intent_id in sent or approval.intent_id not in recorded
        ]
        submit(account, used, moment.at, moment.session, rules.exits, journal)


def advance(account: Account, moment: Moment, rules: Rules, journal: Journal) -> None:
    """Phase one: corporate actions, fills, marks, end-of-session bookings and breakers of one moment."""
    book = account.book
    for clearance in moment.clearances:
        _record_breaker(account, clearance, journal)
    if account.session_date != moment.session.date:
        _begin_session(account, moment, rules, journal)
    for bar in moment.bars:
        _take_fills(account, bar, moment.session, rules.fill_model, journal)
    book.mark(moment.closes)
    if moment.closes_session:
        _end_session(account, moment.session, journal)
    _follow_positions(account, moment.at, moment.session, journal)
    account.as_of = moment.at
    journal.equity.append(equity_point(account))
    _trip_breakers(account, moment, rules, journal)
    if moment.closes_session:
        journal.positions.extend(position_snapshots(account))


def decide(
    account: Account,
    moment: Moment,
    rules: Rules,
    recorded: Mapping[str, Verdict],
    journal: Journal,
    approved_at: datetime,
) -> list[tuple[Verdict, Approval]]:
    """Phase two: intents from the moment's targets, reviewed at `approved_at` (UTC); returns what may be submitted.

    What is wanted follows from the limits of the moment, as in a replay; what is allowed from those of the review.
    """
    if not moment.targets:
        return []
    limits = rules.limits_at(approved_at)
    take_notice(account, moment.at, moment.states, rules)
    known = circumstances(account, rules, moment.standings, moment.at, reference_at=moment.at)
    snapshot = account_snapshot(
        account, moment.at, moment.closes, moment.gates, moment.market, rules.own_capital(limits), known
    )
    wanted_by = rules.limits_at(moment.at), account.book.account_id, rules.sizes
    intents = intents_from_targets(_wanted(account, moment), snapshot, *wanted_by)
    verdicts = [_as_recorded(verdict, recorded) for verdict in review(intents, snapshot, limits)]
    expires_at = approved_at + limits.approval_ttl
    permitted = [
        (verdict, Approval(verdict.intent.intent_id, verdict.approved_qty, approved_at, expires_at))
        for verdict in verdicts
        if verdict.outcome is not Outcome.DENIED
    ]
    journal.verdicts.extend(verdicts)
    journal.approvals.extend(approval for _, approval in permitted)
    return permitted


def take_notice(account: Account, at: datetime, states: TradingStates, rules: Rules) -> None:
    """Find what restricts orders at `at` (UTC): the declared `states`, what tripped breakers do to them, and locks."""
    for breaker in account.tripped:
        if rule := rules.breakers.get(breaker):
            states = states.tightened(rule.action.state, is_flatten=rule.action is BreakerAction.FLATTEN)
    account.states = states
    if rules.protections:
        record = TradeRecord(account.book.trades, account.stop_orders, account.book.flows)
        account.locks = locks_at(rules.protections, record, at)


def _wanted(account: Account, moment: Moment) -> Sequence[Target]:
    """The moment's targets; but of what is to be flattened no strategy wants anything, and all that is held goes."""
    states = account.states
    if not states.flattened:
        return moment.targets
    kept = [target for target in moment.targets if not states.is_flattened(target.strategy, target.symbol)]
    return kept + [
        Target(strategy, OPERATOR, symbol, moment.at, moment.session.date, ZERO, may_open=False, is_flatten=True)
        for (strategy, symbol), position in sorted(account.book.positions.items())
        if position.qty and states.is_flattened(strategy, symbol)
    ]


def submit(
    account: Account,
    permitted: Iterable[tuple[Verdict, Approval]],
    at: datetime,
    session: Session,
    exits: Mapping[str, ExitPlan],
    journal: Journal,
) -> None:
    """Phase three at the simulated broker: one market order an approval, acknowledged at once, working from `at`.

    The entries of a strategy with `exits` carry legs, which are held until the entry executes. An order that closes
    takes its shares from the legs that protected them.
    """
    for verdict, approval in permitted:
        for order in _orders_for(verdict.intent, approval.qty, at, exits.get(verdict.intent.strategy)):
            working = WorkingOrder.approved(order)
            journal.orders.append(order)
            journal.order_events.extend(
                working.move(status, at, session.date)
                for status in (
                    OrderStatus.SUBMITTING,
                    OrderStatus.ACKED,
                    OrderStatus.HELD if order.is_leg else OrderStatus.WORKING,
                )
            )
            account.working[order.client_order_id] = working
            if not order.is_leg:
                account.session_orders.append(sent_order(order, verdict.reference_price))
            if order.order_type in STOPS:
                account.stop_orders.add(order.client_order_id)
        _follow_positions(account, at, session, journal)


def _orders_for(intent: Intent, qty: Decimal, at: datetime, plan: ExitPlan | None) -> list[Order]:
    order = market_order(intent, qty, at)
    is_entry = intent.purpose in {Purpose.OPEN, Purpose.INCREASE}
    return with_legs(order, plan, intent.leg) if is_entry and plan else [order]


def _as_recorded(verdict: Verdict, recorded: Mapping[str, Verdict]) -> Verdict:
    """A recorded verdict stands, but on the intent as computed now: storing finds that a changed one conflicts."""
    earlier = recorded.get(verdict.intent.intent_id)
    return replace(earlier, intent=verdict.intent) if earlier else verdict


def market_order(intent: Intent, qty: Decimal, submitted_at: datetime) -> Order:
    """The first attempt to execute `intent`: a market order for the day."""
    return Order(
        client_order_id=client_order_id(intent.intent_id, intent.leg, attempt=1),
        intent_id=intent.intent_id,
        attempt=1,
        account_id=intent.account_id,
        strategy=intent.strategy,
        strategy_version=intent.strategy_version,
        symbol=intent.symbol,
        side=intent.side,
        qty=qty,
        order_type=OrderType.MARKET,
        time_in_force=TimeInForce.DAY,
        submitted_at=submitted_at,
        session_date=intent.session_date,
    )


# What others see of an account -----------------------------------------------------------------------


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
        newest_close=newest_close or reference_at,
        reference_at=reference_at,
        standings=standings,
        approved_at=approved_at,
        # Nothing is heard of a real broker yet, and so no order passes there.
        link=None if account.broker == SIMULATED else BrokerLink(),
        is_margin_account=rules.is_margin_account,
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
        sent_orders=account.session_orders,
        open_orders=[open_order(working) for working in live] if known else (),
        day_trades=_day_trades(account, at, live, positions) if known and known.is_margin_account else None,
        circumstances=known,
    )


def _settled_cash(account: Account) -> Decimal:
    sales = unsettled_sales([*account.unsettled, *account.session_fills], _required(account.session_date))
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
        at=_required(account.as_of),
        session_date=_required(account.session_date),
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
            session_date=_required(account.session_date),
            strategy=strategy,
            symbol=symbol,
            as_of=_required(account.as_of),
            qty=position.qty,
            avg_cost_usd=position.avg_cost.quantize(QTY_STEP),
            mark_price=book.marks[symbol],
            value_usd=book.value_of(strategy, symbol),
            realised_usd=position.realised_usd,
            unrealised_usd=position.unrealised(book.marks[symbol]),
        )
        for (strategy, symbol), position in sorted(book.positions.items())
    ]


# Phase one, step by step -----------------------------------------------------------------------------


def _begin_session(account: Account, moment: Moment, rules: Rules, journal: Journal) -> None:
    session, book = moment.session, account.book
    account.start_equity_usd = book.equity
    _end_counts(account, session.date)
    account.session_date = session.date
    book.settle(session.date)
    tripped_in = {breaker: event.session_date for breaker, event in account.tripped.items()}
    for clearance in due_clearances(tripped_in, session.date, rules.breakers):
        event = _breaker_event(account, clearance.breaker, BreakerState.CLEARED, session.opens_at)
        _record_breaker(account, replace(event, cleared_by=clearance.cleared_by, why=clearance.why), journal)
    opens = {bar.symbol: bar.open for bar in moment.bars}
    orders = list(account.working.values())
    activities, events = actions_on_book(book, orders, moment.actions, session.date, session.opens_at, opens)
    journal.activities.extend(activities)
    journal.order_events.extend(events)
    _drop_finished(account)


def _end_counts(account: Account, day: date) -> None:
    """Session `day` begins: what was counted in the one before is kept as far as it still counts."""
    fills = account.session_fills
    if account.session_date is not None and can_have_day_trades(fills):
        held: dict[str, Decimal] = defaultdict(Decimal)
        for (_, symbol), position in account.book.positions.items():
            held[symbol] += position.qty
        account.day_trades[account.session_date] = day_trades_of(fills, held)
    account.day_trades = {past: count for past, count in account.day_trades.items() if day - LOOK_BACK <= past}
    account.unsettled = unsettled_sales([*account.unsettled, *fills], day)
    account.session_fills, account.session_orders = [], []


def _take_fills(account: Account, bar: Bar, session: Session, model: FillModel, journal: Journal) -> None:
    orders = [working for working in account.working.values() if working.order.symbol == bar.symbol]
    if not orders:
        return
    auctions = Auctions(has_opening=bar.ts == session.opens_at, has_closing=bar.closes_at == session.closes_at)
    held = {
        strategy: position.qty
        for (strategy, symbol), position in account.book.positions.items()
        if symbol == bar.symbol
    }
    work = work_bar(orders, bar, model, auctions, held)
    for fill in work.fills:
        account.book.apply_fill(fill)
    account.session_fills.extend(work.fills)
    journal.fills.extend(work.fills)
    journal.order_events.extend(work.events)
    journal.trail_marks.extend(work.trail_marks)
    _drop_finished(account)


def _follow_positions(account: Account, at: datetime, session: Session, journal: Journal) -> None:
    positions = {key: position.qty for key, position in account.book.positions.items()}
    journal.order_events.extend(follow_positions(positions, account.working.values(), at, session.date))
    _drop_finished(account)


def _end_session(account: Account, session: Session, journal: Journal) -> None:
    fees = fee_activities(account.book.account_id, account.session_fills, session.date, session.closes_at)
    for fee in fees:
        account.book.apply_activity(fee)
    journal.activities.extend(fees)
    journal.order_events.extend(expire_day_orders(list(account.working.values()), session.closes_at, session.date))
    _drop_finished(account)


def _drop_finished(account: Account) -> None:
    account.working = {key: working for key, working in account.working.items() if not working.is_terminal}


def _trip_breakers(account: Account, moment: Moment, rules: Rules, journal: Journal) -> None:
    snapshot = account_snapshot(account, moment.at, moment.closes, moment.gates)
    trips = evaluate(snapshot, rules.limits_at(moment.at))
    if rules.breakers:
        trips += judge(_measured(account, moment), rules.breakers, account.tripped)
    for trip in trips:
        trip_breaker(account, trip, moment.at, journal)


def trip_breaker(account: Account, trip: Trip, at: datetime, journal: Journal) -> None:
    """Latch a breaker at `at` (UTC); of a configured one the account as it stood is recorded with the cause."""
    event, cause, book = _breaker_event(account, trip.breaker, BreakerState.TRIPPED, at), trip.cause, account.book
    if trip.breaker in DEFAULT_RULES:
        money = {"equity_usd": plain(book.equity), "positions_usd": plain(book.positions_value)}
        held = {
            f"qty {strategy} {symbol}": plain(one.qty) for (strategy, symbol), one in book.positions.items() if one.qty
        }
        cause = {**cause, **money, **held}
    _record_breaker(account, replace(event, cause=cause), journal)


def _measured(account: Account, moment: Moment) -> dict[Breaker, float | None]:
    """What the configured breakers judge at every bar close."""
    book = account.book
    held = {symbol for (_, symbol), position in book.positions.items() if position.qty}
    since = account.cleared_at.get(Breaker.CONSECUTIVE_LOSSES)
    return {
        Breaker.VOLATILITY: moment.regime.volatility,
        Breaker.CORRELATION: moment.regime.correlation,
        Breaker.CONSECUTIVE_LOSSES: float(losing_streak(book.trades, since)),
        Breaker.DATA_OUTAGE: missing_share(held, moment.closes) if moment.closes_session else None,
    }


def _breaker_event(account: Account, breaker: str, state: BreakerState, at: datetime) -> BreakerEvent:
    return BreakerEvent(
        account_id=account.book.account_id,
        breaker=str(breaker),
        event_no=account.breaker_events.get(breaker, 0) + 1,
        state=state,
        at=at,
        session_date=_required(account.session_date),
    )


def _record_breaker(account: Account, event: BreakerEvent, journal: Journal) -> None:
    account.breaker_events[event.breaker] = event.event_no
    if event.state is BreakerState.TRIPPED:
        account.tripped[event.breaker] = event
    else:
        account.tripped.pop(event.breaker, None)
        account.cleared_at[event.breaker] = event.at
    journal.breaker_events.append(event)


def _required(value: T | None) -> T:
    if value is None:
        raise ValueError("the account has not lived through any bar close yet: advance it first")
    return value
