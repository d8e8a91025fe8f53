"""What becomes of an account's orders and holdings at its broker in a moment: worked by the simulation, or as recorded.

Everything else that a moment does to an account is the same for both, and belongs in `phase_one`.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from trading_assets.domain.execution.cancellations import cancelled_by
from trading_assets.domain.execution.corporate_actions import actions_on_book
from trading_assets.domain.execution.exits import follow_positions
from trading_assets.domain.execution.fees import fee_activities
from trading_assets.domain.execution.fill_model import Auctions, FillModel
from trading_assets.domain.execution.ledger import Fill, Record, replay_key
from trading_assets.domain.execution.matching import work_bar
from trading_assets.domain.execution.orders import OrderStatus, expire_day_orders
from trading_assets.domain.journal import Journal
from trading_assets.domain.market.bars import Bar
from trading_assets.domain.market.sessions import Session
from trading_assets.domain.risk.trading_states import ALL_ACTIVE, TradingStates
from trading_assets.domain.simulation.account import Account
from trading_assets.domain.simulation.moment import Moment


class Dealings(Protocol):
    """The broker's part of a moment, in this order: `begin` and `end` at the edges of a session only.

    `obey` comes first and last: what trading states end, at the beginning of the moment's bars and at their close.
    """

    def obey(self, account: Account, states: TradingStates, moment: Moment, at: datetime, journal: Journal) -> None: ...

    def begin(self, account: Account, moment: Moment, journal: Journal) -> None: ...

    def trade(self, account: Account, moment: Moment, journal: Journal) -> None: ...

    def end(self, account: Account, moment: Moment, journal: Journal) -> None: ...

    def follow(self, account: Account, moment: Moment, journal: Journal) -> None: ...


@dataclass(frozen=True, slots=True)
class SimulatedDealings:
    """The simulated broker: corporate actions as announced, orders worked through the bars, fees by the law."""

    model: FillModel

    def obey(self, account: Account, states: TradingStates, moment: Moment, at: datetime, journal: Journal) -> None:
        """Cancel the working orders that `states` end; protective legs only at the close, where what they protect goes
        too."""
        if states == ALL_ACTIVE or not account.working:
            return
        held: dict[str, Decimal] = defaultdict(Decimal)
        for (_, symbol), position in account.book.positions.items():
            held[symbol] += position.qty
        for one in cancelled_by(states, account.working.values(), held):
            if at == moment.at or not one.working.order.is_leg:
                event = one.working.move(OrderStatus.CANCELED, at, moment.session.date, detail=one.reason)
                journal.order_events.append(event)
        follow_held(account, at, moment.session, journal)

    def begin(self, account: Account, moment: Moment, journal: Journal) -> None:
        session = moment.session
        opens = {bar.symbol: bar.open for bar in moment.bars}
        orders = list(account.working.values())
        actions = moment.actions
        activities, events = actions_on_book(account.book, orders, actions, session.date, session.opens_at, opens)
        journal.activities.extend(activities)
        journal.order_events.extend(events)
        drop_finished(account)

    def trade(self, account: Account, moment: Moment, journal: Journal) -> None:
        """What the bars execute, booked in the order in which it happened, whichever symbol it was."""
        fills = [fill for bar in moment.bars for fill in self._executed(account, bar, moment.session, journal)]
        fills.sort(key=replay_key)
        for fill in fills:
            account.book.apply_fill(fill)
        account.session_fills.extend(fills)
        journal.fills.extend(fills)
        drop_finished(account)

    def end(self, account: Account, moment: Moment, journal: Journal) -> None:
        session = moment.session
        fees = fee_activities(account.book.account_id, account.session_fills, session.date, session.closes_at)
        for fee in fees:
            account.book.apply_activity(fee)
        journal.activities.extend(fees)
        orders = list(account.working.values())
        journal.order_events.extend(expire_day_orders(orders, session.closes_at, session.date))
        drop_finished(account)

    def follow(self, account: Account, moment: Moment, journal: Journal) -> None:
        follow_held(account, moment.at, moment.session, journal)

    def _executed(self, account: Account, bar: Bar, session: Session, journal: Journal) -> Sequence[Fill]:
        orders = [working for working in account.working.values() if working.order.symbol == bar.symbol]
        if not orders:
            return ()
        auctions = Auctions(has_opening=bar.ts == session.opens_at, has_closing=bar.closes_at == session.closes_at)
        held: dict[str, Decimal] = {
            strategy: position.qty
            for (strategy, symbol), position in account.book.positions.items()
            if symbol == bar.symbol
        }
        work = work_bar(orders, bar, self.model, auctions, held)
        journal.order_events.extend(work.events)
        journal.trail_marks.extend(work.trail_marks)
        return work.fills


class RecordedDealings:
    """A real broker: `records` of the ledger count at the first moment that is not before they were booked.

    The journal gets none of them: they are in the ledger before the account lives through the moment.
    """

    def __init__(self, records: Iterable[Record]) -> None:
        self._coming = deque(sorted(records, key=replay_key))

    def obey(self, account: Account, states: TradingStates, moment: Moment, at: datetime, journal: Journal) -> None:
        """A broker is asked to cancel; what it says of it is recorded as it says it."""

    def begin(self, account: Account, moment: Moment, journal: Journal) -> None:
        """Corporate actions are booked as the broker records them."""

    def trade(self, account: Account, moment: Moment, journal: Journal) -> None:  # noqa: ARG002  the port's
        while self._coming and replay_key(self._coming[0])[0] <= moment.at:
            self._count(account, self._coming.popleft())

    def end(self, account: Account, moment: Moment, journal: Journal) -> None:
        """Fees and expiries are booked as the broker records them."""

    def follow(self, account: Account, moment: Moment, journal: Journal) -> None:
        """Legs are the broker's to hold, to work and to cancel."""

    def count_rest(self, account: Account) -> None:
        """Count what was booked after the last moment: a decision knows it, the moment before did not."""
        while self._coming:
            self._count(account, self._coming.popleft())

    def _count(self, account: Account, record: Record) -> None:
        if isinstance(record, Fill):
            account.book.apply_fill(record)
            account.session_fills.append(record)
        else:
            account.book.apply_activity(record)


def follow_held(account: Account, at: datetime, session: Session, journal: Journal) -> None:
    """Let the legs at the simulated broker cover what is held at `at` (UTC)."""
    positions = {key: position.qty for key, position in account.book.positions.items()}
    journal.order_events.extend(follow_positions(positions, account.working.values(), at, session.date))
    drop_finished(account)


def drop_finished(account: Account) -> None:
    account.working = {key: working for key, working in account.working.items() if not working.is_terminal}
