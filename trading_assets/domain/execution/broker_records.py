"""What is asked of a broker, and what a broker says: orders, executions, positions, accounts and updates.

Nothing a broker says is refused here: what is missing is None, what cannot be read is named in `faults`, and a status
that nobody knows is kept beside HELD. Reading one broker's wire format belongs in its adapter; judging, in the ledger.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from trading_assets.domain.execution.orders import OrderClass, OrderStatus, OrderType, TimeInForce
from trading_assets.domain.values import Side

# Asking -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """One order to send. `qty` is unsigned shares, prices are raw USD.

    A bracket gives both exits, oto one of them; an oco group is sent as its limit order, `stop_loss_price` being the
    other one. A trailing stop has either distance.
    """

    client_order_id: str
    symbol: str
    side: Side
    qty: Decimal
    order_type: OrderType = OrderType.MARKET
    time_in_force: TimeInForce = TimeInForce.DAY
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_usd: Decimal | None = None
    trail_pct: Decimal | None = None
    is_extended_hours: bool = False
    order_class: OrderClass = OrderClass.SIMPLE
    take_profit_price: Decimal | None = None
    stop_loss_price: Decimal | None = None
    stop_loss_limit_price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Replacement:
    """What an order becomes, under a new client id; None keeps what it was. `trail` is in the order's own unit."""

    client_order_id: str
    qty: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail: Decimal | None = None
    time_in_force: TimeInForce | None = None


# Answers ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BrokerOrder:
    """One order as the broker shows it. Words of the broker are kept as they are: it may have more than we know.

    `status` is ours and `broker_status` the broker's word for it; one that is not known means HELD, and
    `is_status_known` is false. `legs` are shown only with the answer that made them, or when asked for one order.
    """

    broker_order_id: str
    client_order_id: str
    symbol: str
    status: OrderStatus
    broker_status: str
    is_status_known: bool
    side: Side | None
    qty: Decimal | None
    filled_qty: Decimal
    filled_avg_price: Decimal | None = None
    order_type: str = ""
    time_in_force: str = ""
    order_class: str = ""
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_usd: Decimal | None = None
    trail_pct: Decimal | None = None
    mark_price: Decimal | None = None
    is_extended_hours: bool = False
    submitted_at: datetime | None = None
    updated_at: datetime | None = None
    replaces: str | None = None
    replaced_by: str | None = None
    legs: tuple[BrokerOrder, ...] = ()
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """What is known after an order was sent, once: ACKED, REJECTED or SUBMIT_UNKNOWN, and never more than that.

    `order` is the broker's first word on an accepted order; what it says of progress is a hint. `code` and `message`
    are the broker's reason, or what went wrong. `http_status` is None when no answer came, `answer` what came.
    """

    status: OrderStatus
    order: BrokerOrder | None = None
    code: str = ""
    message: str = ""
    http_status: int | None = None
    answer: str = ""


@dataclass(frozen=True, slots=True)
class BrokerFill:
    """An execution, or its bust or correction, which name the execution they undo in `previous_execution_id`.

    `kind` is the broker's word: fill, trade_bust, trade_correct or another. `at` is UTC.
    """

    activity_id: str
    execution_id: str
    broker_order_id: str
    symbol: str
    side: Side | None
    qty: Decimal | None
    price: Decimal | None
    at: datetime | None
    kind: str = "fill"
    previous_execution_id: str | None = None
    cum_qty: Decimal | None = None
    leaves_qty: Decimal | None = None
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BrokerActivity:
    """Cash or shares that moved without an execution. `kind` is the broker's word; what came in is positive."""

    activity_id: str
    kind: str
    amount_usd: Decimal | None
    on: date | None
    sub_kind: str = ""
    symbol: str | None = None
    qty: Decimal | None = None
    per_share_usd: Decimal | None = None
    status: str = ""
    group_id: str | None = None
    faults: tuple[str, ...] = ()


ActivityRecord = BrokerFill | BrokerActivity


@dataclass(frozen=True, slots=True)
class BrokerPosition:
    """Shares that the broker says are held, all strategies together; `qty` is signed, short is negative."""

    symbol: str
    qty: Decimal | None
    avg_entry_price: Decimal | None
    qty_available: Decimal | None = None
    current_price: Decimal | None = None
    market_value_usd: Decimal | None = None
    cost_usd: Decimal | None = None
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BrokerAccount:
    """The account as the broker sees it. A flag that is missing is None, and then the account may not trade."""

    account_number: str
    status: str
    cash_usd: Decimal | None
    equity_usd: Decimal | None
    buying_power_usd: Decimal | None
    last_equity_usd: Decimal | None = None
    initial_margin_usd: Decimal | None = None
    maintenance_margin_usd: Decimal | None = None
    accrued_fees_usd: Decimal | None = None
    pending_taf_fees_usd: Decimal | None = None
    multiplier: Decimal | None = None
    currency: str = "USD"
    is_trading_blocked: bool | None = None
    is_account_blocked: bool | None = None
    is_suspended_by_user: bool | None = None
    is_shorting_enabled: bool | None = None
    faults: tuple[str, ...] = ()

    @property
    def may_trade(self) -> bool:
        """Whether the broker says, in so many words, that the account is active and nothing blocks it."""
        blocks = (self.is_trading_blocked, self.is_account_blocked, self.is_suspended_by_user)
        return self.status == "ACTIVE" and all(is_blocked is False for is_blocked in blocks)


@dataclass(frozen=True, slots=True)
class BrokerClock:
    """The broker's time and the market's state by it; all UTC."""

    now: datetime
    is_open: bool
    next_open: datetime | None
    next_close: datetime | None


# The stream ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OrderUpdate:
    """A hint that something happened to an order: it may be missing, late, early or there twice.

    `event` is the broker's word. An execution carries its id, quantity and price; the records are what is asked for.
    """

    event: str
    order: BrokerOrder
    at: datetime | None = None
    execution_id: str | None = None
    previous_execution_id: str | None = None
    qty: Decimal | None = None
    price: Decimal | None = None
    position_qty: Decimal | None = None


@dataclass(frozen=True, slots=True)
class StreamOpened:
    """From here on updates may come; whatever happened before is known only by asking. `attempt` counts from 1."""

    attempt: int


@dataclass(frozen=True, slots=True)
class StreamAlive:
    """The connection answered a moment ago, and there was nothing to tell."""


Hint = OrderUpdate | StreamOpened | StreamAlive


def flattened(orders: Sequence[BrokerOrder]) -> list[BrokerOrder]:
    """The orders and, after each, its legs, in the order of a broker's flat list."""
    return [one for order in orders for one in (order, *order.legs)]
