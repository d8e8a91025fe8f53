"""The time loop, and the two phases in which an account acts: decide and submit."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from trading_assets.domain.execution.account_activity import sent_order
from trading_assets.domain.execution.entries import planned
from trading_assets.domain.execution.exits import with_legs
from trading_assets.domain.execution.ids import client_order_id
from trading_assets.domain.execution.orders import STOPS, Order, OrderStatus, OrderType, TimeInForce, WorkingOrder
from trading_assets.domain.journal import Approval, Journal
from trading_assets.domain.market.sessions import Session
from trading_assets.domain.risk.intents import OPENING, intents_from_targets
from trading_assets.domain.risk.protections import TradeRecord, locks_at
from trading_assets.domain.risk.review import review
from trading_assets.domain.risk.trading_states import OPERATOR, TradingStates
from trading_assets.domain.risk.verdicts import Intent, Outcome, Verdict
from trading_assets.domain.simulation.account import Account
from trading_assets.domain.simulation.breaker_events import with_breakers
from trading_assets.domain.simulation.dealings import follow_held
from trading_assets.domain.simulation.moment import Moment, Rules
from trading_assets.domain.simulation.phase_one import advance
from trading_assets.domain.simulation.views import account_snapshot, circumstances
from trading_assets.domain.strategy.targets import Target
from trading_assets.domain.values import ZERO


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
        submit(account, used, moment.at, moment.session, rules, journal)


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
    if not moment.targets and not is_closing(account, moment, rules):
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


def is_closing(account: Account, moment: Moment, rules: Rules) -> bool:
    """Whether a person, or a breaker, has something closed at this moment, whatever strategies want."""
    states = with_breakers(account, moment.states, rules)
    return any(one.qty and states.is_flattened(*key) for key, one in account.book.positions.items())


def take_notice(account: Account, at: datetime, states: TradingStates, rules: Rules) -> None:
    """Find what restricts orders at `at` (UTC): the declared `states`, what tripped breakers do to them, and locks."""
    account.states = with_breakers(account, states, rules)
    if rules.protections:
        record = TradeRecord(account.book.trades, account.stop_orders, account.book.flows)
        account.locks = locks_at(rules.protections, record, at)


def _wanted(account: Account, moment: Moment) -> Sequence[Target]:
    """The moment's targets; but of what is to be flattened no strategy wants anything, and all that is held goes.

    It goes at the next bar close, whether or not a strategy decides there.
    """
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
    rules: Rules,
    journal: Journal,
) -> None:
    """Phase three at the simulated broker: one order an approval, acknowledged at once, working from `at`.

    The entries of a strategy with exits carry legs, which are held until the entry executes. An order that closes
    takes its shares from the legs that protected them.
    """
    for verdict, approval in permitted:
        for order in orders_for(verdict, approval.qty, at, rules):
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
        follow_held(account, at, session, journal)


def orders_for(verdict: Verdict, qty: Decimal, at: datetime, rules: Rules) -> list[Order]:
    """The order that executes an approval of `qty` shares, sent at `at` (UTC); an entry as its strategy plans it."""
    intent = verdict.intent
    order = market_order(intent, qty, at)
    if intent.purpose not in OPENING:
        return [order]
    if entry := rules.entries.get(intent.strategy):
        order = planned(order, entry, verdict.reference_price)
    exits = rules.exits.get(intent.strategy)
    return with_legs(order, exits, intent.leg) if exits else [order]


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
