"""An account at a rehearsed broker whose orders are sent by the real path, for comparisons of ledger and broker."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from hashlib import sha256
from typing import Any

from standins.broker_rehearsals import CASH, INSTRUMENTS, MONDAY, VenueRehearsal, bar

from trading_assets.adapters.order_submission import OrderSubmission
from trading_assets.adapters.postgres import ledger
from trading_assets.adapters.postgres.booked_records import SEEN_BEFORE_DETAIL
from trading_assets.adapters.postgres.broker_orders import record_submission, sole_writer
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.reconciliations import Trigger
from trading_assets.adapters.reconciling import Compared, Reconciler
from trading_assets.domain.execution.broker_records import BrokerOrder, OrderRequest
from trading_assets.domain.execution.ids import client_order_id
from trading_assets.domain.execution.ledger import Activity, ActivityKind
from trading_assets.domain.execution.orders import Order, OrderEvent, OrderStatus, OrderType, TimeInForce
from trading_assets.domain.journal import Approval, Journal
from trading_assets.domain.risk.verdicts import Intent, Outcome, Purpose, Verdict
from trading_assets.domain.values import Side

ACCOUNT_ID = "alpaca-paper-PA0LOCAL0001"
SYMBOLS = tuple(one.symbol for one in INSTRUMENTS if one.is_tradable)
MINUTE = timedelta(minutes=1)


@dataclass
class StandingClock:
    """A clock that passes only while somebody sleeps; `naps` are how long, in seconds."""

    at: datetime
    naps: list[float] = field(default_factory=list)

    def now(self) -> datetime:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.at += timedelta(seconds=seconds)


@dataclass
class ComparedAccount:
    """A database with one account, and the broker that it is at. All clocks show the venue's time."""

    database: Database
    rehearsal: VenueRehearsal
    sent: int = 0
    clock: StandingClock = field(init=False)

    def __post_init__(self) -> None:
        self.clock = StandingClock(self.rehearsal.venue.now)

    def open(self) -> None:
        """Record the account with the cash that is in it."""
        at = self.clock.now()
        with self.database.transaction() as connection:
            connection.execute(
                "insert into execution.accounts (account_id, broker, fingerprint, inception_session, opening_cash_usd) "
                "values (%s, 'alpaca-paper', 'f', %s, %s)",
                (ACCOUNT_ID, MONDAY, CASH),
            )
            opening = Activity(
                *("opening", ACCOUNT_ID, ActivityKind.DEPOSIT, at, MONDAY, MONDAY),
                amount_usd=CASH,
                detail={SEEN_BEFORE_DETAIL: ""},
            )
            ledger.record(connection, Journal(activities=[opening]))
            ledger.use_account(connection, ACCOUNT_ID)

    def buy(self, symbol: str, qty: int, limit: float | None = None, **changes: Any) -> str:
        """Send an order as an approved intent; returns its client id."""
        return self.send(*self.orders(symbol, qty, limit, **changes))

    def orders(
        self, symbol: str, qty: int, limit: float | None = None, side: Side = Side.BUY, gtc: bool = False
    ) -> list[Order]:
        self.sent += 1
        intent_id = sha256(f"intent {self.sent}".encode()).hexdigest()
        return [
            Order(
                client_order_id=client_order_id(intent_id, 0, 1),
                intent_id=intent_id,
                attempt=1,
                account_id=ACCOUNT_ID,
                strategy="a strategy",
                strategy_version="1",
                symbol=symbol,
                side=side,
                qty=Decimal(qty),
                order_type=OrderType.MARKET if limit is None else OrderType.LIMIT,
                time_in_force=TimeInForce.GTC if gtc else TimeInForce.DAY,
                submitted_at=self.clock.now(),
                session_date=MONDAY,
                limit_price=None if limit is None else Decimal(str(limit)),
            )
        ]

    def send(self, order: Order) -> str:
        request = request_of(order)
        with sole_writer(self.database, ACCOUNT_ID, "a run") as token:
            sending = OrderSubmission(
                self.database, self.rehearsal.broker, ACCOUNT_ID, self.clock, self.clock, self.clock.sleep
            )
            send_by, answer_by = sending.deadlines()
            with self.database.transaction() as connection:
                ledger.record(connection, journal_of(order))
                record_submission(connection, request, token, send_by, answer_by)
            sending.send(request.client_order_id, send_by, partial(self.rehearsal.broker.submit, request))
        return order.client_order_id

    def trade(self, begins: str = "12:30", **values: Any) -> None:
        """Let an hour of every symbol execute what it can."""
        self.rehearsal.trade(*(bar(begins, symbol=symbol, **values) for symbol in SYMBOLS))
        self.at(max(self.rehearsal.venue.now, self.clock.now()))

    def at(self, moment: datetime) -> None:
        self.rehearsal.advance(moment)
        self.clock.at = moment

    def reconciler(self) -> Reconciler:
        return Reconciler(self.database, self.rehearsal.broker, ACCOUNT_ID, self.clock, self.clock, self.clock.sleep)

    def compare_with(self, broker: Any) -> Compared:
        return replace(self.reconciler(), broker=broker).compare(Trigger.DEMAND)

    def compare(self) -> Compared:
        return self.reconciler().compare(Trigger.DEMAND)

    def at_broker(self, client_id: str) -> BrokerOrder:
        return self.rehearsal.broker.order_by_client_id(client_id)

    def rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with self.database.transaction() as connection:
            return connection.execute(query, parameters).fetchall()  # type: ignore[arg-type]


def request_of(order: Order) -> OrderRequest:
    return OrderRequest(
        order.client_order_id,
        order.symbol,
        order.side,
        order.qty,
        order.order_type,
        order.time_in_force,
        order.limit_price,
    )


def journal_of(order: Order) -> Journal:
    """The order as it is written down before it leaves, with what allows it."""
    at, day = order.submitted_at, order.session_date
    intent = Intent(
        *(order.intent_id, order.account_id, order.strategy, order.strategy_version, order.symbol, order.side),
        *(Purpose.OPEN, at, day, Decimal("0.1"), order.qty),
    )
    verdict = Verdict(intent, Outcome.APPROVED, order.qty, (), (), Decimal(100), CASH)
    approval = Approval(order.intent_id, order.qty, at, at + 2 * MINUTE)
    event = OrderEvent(order.client_order_id, 1, OrderStatus.SUBMITTING, order.qty, at, day)
    return Journal(verdicts=[verdict], approvals=[approval], orders=[order], order_events=[event])
