"""What must hold of an account at a local Alpaca after whatever happened, by the numbers of the trading rules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING

from standins.rehearsed_account import ACCOUNT_ID, rows

from trading_assets.adapters.postgres import ledger
from trading_assets.adapters.postgres.invariants import INVARIANTS, violations
from trading_assets.domain.execution.broker_records import BrokerFill, BrokerOrder
from trading_assets.domain.execution.ids import client_order_id
from trading_assets.domain.execution.orders import TRANSITIONS, OrderStatus

if TYPE_CHECKING:
    from standins.dying_desks import MortalAccount

_S = OrderStatus
CENT = Decimal("0.01")


def untruths(account: MortalAccount) -> list[str]:
    """What does not hold, in words; empty when our record and the broker's say the same, and every rule was kept."""
    found = [line for check in CHECKS for line in check(account)]
    incidents = rows(account.database, "select kind, subject from execution.open_incidents")
    return [*found, *(f"incident {row}" for row in incidents)]


def shown_orders(account: MortalAccount) -> list[BrokerOrder]:
    with account.alpaca.lock:
        return account.alpaca.venue.orders()


def sent_once(account: MortalAccount) -> Iterator[str]:
    """At most one request a client id and one order an intent, and the id is that of the intent."""
    posts = Counter(str(asked.body.get("client_order_id")) for asked in account.alpaca.posts())
    yield from (f"{name} was sent {times} times" for name, times in posts.items() if times > 1)
    shown = Counter(order.client_order_id for order in shown_orders(account))
    yield from (f"{name} is {times} orders" for name, times in shown.items() if times > 1)
    recorded = rows(account.database, "select client_order_id, intent_id, attempt from execution.orders")
    expected = {client_order_id(intent_id, 0, attempt) for _, intent_id, attempt in recorded}
    yield from (f"{name} is not the id of an intent" for name in {*posts, *shown} - expected)
    written = {name for (name,) in rows(account.database, "select client_order_id from execution.submissions")}
    yield from (f"{name} was sent and not written down" for name in posts if name not in written)
    intents = Counter(intent_id for _, intent_id, _ in recorded)
    yield from (f"intent {name} has {times} orders" for name, times in intents.items() if times > 1)


def states_are_definite(account: MortalAccount) -> Iterator[str]:
    """Every order stands where the broker shows it; what the broker does not have never arrived, or was refused."""
    shown = {order.client_order_id: order.status for order in shown_orders(account)}
    for name, status in rows(account.database, "select client_order_id, status from execution.order_states"):
        if name in shown and status != shown[name]:
            yield f"{name} is {status}, at the broker {shown[name]}"
        if name not in shown and status not in {_S.NEVER_ARRIVED, _S.REJECTED}:
            yield f"{name} is {status}, and the broker has no such order"


def executions_are_booked_once(account: MortalAccount) -> Iterator[str]:
    """Every execution is a fill of its own order, as the broker recorded it."""
    names = {order.broker_order_id: order.client_order_id for order in shown_orders(account)}
    with account.alpaca.lock:
        records = [record for _, record in account.alpaca.venue.activities() if isinstance(record, BrokerFill)]
    theirs = Counter((one.execution_id, names[one.broker_order_id], one.qty, one.price) for one in records)
    ours = Counter(rows(account.database, "select execution_id, client_order_id, qty, price from execution.fills"))
    yield from (f"execution {one} is not booked" for one in theirs - ours)
    yield from (f"booked {one} is no execution" for one in ours - theirs)
    others = rows(account.database, "select activity_id, kind from execution.activities where kind <> 'deposit'")
    yield from (f"booked {one} is nothing that happened" for one in others)


def inv_1_shares_and_inv_2_cash(account: MortalAccount) -> Iterator[str]:
    with account.alpaca.lock:
        held = {one.symbol: one.qty for one in account.alpaca.venue.positions()}
        cash = account.alpaca.venue.account().cash_usd
    ours = dict(rows(account.database, "select symbol, sum(qty) from execution.held_now group by symbol"))
    if ours != held:
        yield f"INV-1: we hold {ours}, at the broker {held}"
    with account.database.transaction() as connection:
        folded = ledger.load_account(connection, ACCOUNT_ID, account.clock.at)
    if folded is None:
        yield "INV-1: the account has lived through no bar close"
        return
    quantities = {symbol: qty for symbol in held if (qty := folded.book.quantity_of(symbol))}
    if quantities != held:
        yield f"INV-1: the ledger folds to {quantities}, at the broker {held}"
    assert cash is not None
    if abs(folded.book.cash - cash) >= CENT:
        yield f"INV-2: the ledger folds to {folded.book.cash} USD, at the broker {cash}"


def inv_3_and_inv_4_orders_follow_approvals(account: MortalAccount) -> Iterator[str]:
    yield from (f"INV-3: {row} is filled beyond its quantity" for row in rows(account.database, _OVERFILLED))
    yield from (f"INV-4: {row} has no approval that allows it" for row in rows(account.database, _UNAPPROVED))


def inv_5_decisions_know_no_future(account: MortalAccount) -> Iterator[str]:
    yield from (f"INV-5: {row} is out of order" for row in rows(account.database, _OUT_OF_TIME))


def inv_6_moves_are_legal(account: MortalAccount) -> Iterator[str]:
    events: dict[str, list[OrderStatus]] = {}
    found = "select client_order_id, status from execution.order_events order by client_order_id, event_no"
    for name, status in rows(account.database, found):
        events.setdefault(name, []).append(OrderStatus(status))
    for name, statuses in events.items():
        if statuses[0] is not _S.SUBMITTING:
            yield f"INV-6: {name} begins as {statuses[0]}"
        yield from (f"INV-6: {name} {old} to {new}" for old, new in pairwise(statuses) if new not in TRANSITIONS[old])


def inv_7_names_are_one_to_one(account: MortalAccount) -> Iterator[str]:
    ours = set(rows(account.database, "select broker_order_id, client_order_id from execution.broker_orders"))
    theirs = {(order.broker_order_id, order.client_order_id) for order in shown_orders(account)}
    yield from (f"INV-7: {one} is known to one side only" for one in ours ^ theirs)


def inv_8_equity_is_explained(account: MortalAccount) -> Iterator[str]:
    yield from (f"INV-8: {row} does not add up" for row in rows(account.database, _UNEXPLAINED))


def inv_9_fills_are_told_once(account: MortalAccount) -> Iterator[str]:
    """A message is of the transaction that books: every fill is told of in one."""
    ((told, booked),) = rows(account.database, _TOLD)
    if told != booked:
        yield f"INV-9: {booked} fills, {told} are told of"


def ledger_invariants_hold(account: MortalAccount) -> Iterator[str]:
    """What the platform checks of itself after each close."""
    with account.database.transaction() as connection:
        for one in INVARIANTS:
            yield from (f"{one.number}: {subject} {wrong}" for subject, wrong in violations(connection, one))


CHECKS = (
    sent_once,
    states_are_definite,
    executions_are_booked_once,
    inv_1_shares_and_inv_2_cash,
    inv_3_and_inv_4_orders_follow_approvals,
    inv_5_decisions_know_no_future,
    inv_6_moves_are_legal,
    inv_7_names_are_one_to_one,
    inv_8_equity_is_explained,
    inv_9_fills_are_told_once,
    ledger_invariants_hold,
)

_OVERFILLED = """
    select client_order_id, orders.qty, sum(fills.qty)
    from execution.orders join execution.fills using (client_order_id)
    group by client_order_id, orders.qty having sum(fills.qty) > orders.qty
"""
_UNAPPROVED = """
    select client_order_id from execution.orders left join risk.approvals using (intent_id)
    where approvals.qty is distinct from orders.qty or orders.submitted_at > approvals.expires_at
"""
_OUT_OF_TIME = """
    select orders.client_order_id from execution.orders
    join risk.approvals using (intent_id) join risk.verdicts using (intent_id)
    left join execution.fills using (client_order_id)
    where not (decision_at <= approved_at and approved_at <= orders.submitted_at)
       or fills.filled_at < orders.submitted_at or fills.booked_at < fills.filled_at
"""
_UNEXPLAINED = """
    select at, equity_usd from execution.equity
    where abs(equity_usd - (flows_usd + realised_usd + unrealised_usd + dividends_usd - fees_usd)) >= 0.01
       or abs(equity_usd - (cash_usd + receivable_usd + positions_usd)) >= 0.01
"""
_TOLD = """
    select (select coalesce(sum(split_part(subject, ' ', 1)::int), 0) from notification.messages
            where event = 'orders_filled'),
           (select count(*) from execution.fills)
"""
