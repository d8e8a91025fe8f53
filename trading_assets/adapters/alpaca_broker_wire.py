"""Alpaca's trading API in its own words: what a request says, and what records an answer makes.

A field that is missing or of another type never stops the reading of an answer: it becomes None and is named in the
record's `faults`. New fields are fine. Sending belongs in alpaca_broker.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from trading_assets.adapters.errors import ContractBroken
from trading_assets.adapters.json_fields import Fields, exact_json
from trading_assets.adapters.vendor_rows import with_dots
from trading_assets.domain.execution.broker_records import (
    Acknowledgement,
    ActivityRecord,
    BrokerAccount,
    BrokerActivity,
    BrokerClock,
    BrokerFill,
    BrokerOrder,
    BrokerPosition,
    OrderRequest,
    OrderUpdate,
    Replacement,
)
from trading_assets.domain.execution.orders import OrderClass, OrderStatus
from trading_assets.domain.market.instruments import Instrument
from trading_assets.domain.values import ZERO, plain

_S = OrderStatus
STATUSES: Mapping[str, OrderStatus] = {
    "accepted": _S.ACKED,
    "pending_new": _S.ACKED,
    "new": _S.WORKING,
    "accepted_for_bidding": _S.WORKING,
    "partially_filled": _S.PARTIALLY_FILLED,
    "filled": _S.FILLED,
    "done_for_day": _S.DONE_FOR_DAY,
    "canceled": _S.CANCELED,
    "expired": _S.EXPIRED,
    "replaced": _S.REPLACED,
    "pending_cancel": _S.PENDING_CANCEL,
    "pending_replace": _S.PENDING_REPLACE,
    "rejected": _S.REJECTED,
    "stopped": _S.HELD,
    "suspended": _S.HELD,
    "calculated": _S.HELD,
    "held": _S.HELD,
    "pending_review": _S.HELD,
}
"""Every status of the contract and of the SDK. Any other is HELD, and flagged."""

FILL = "FILL"
REFUSALS = frozenset({400, 401, 403, 404, 422})
USED_BEFORE = "client_order_id must be unique"
"""Then an order with this id exists: perhaps the one that was sent, and nobody heard the answer."""


# Answers ------------------------------------------------------------------------------------------


def read_order(row: object) -> BrokerOrder:
    """An order as Alpaca shows it, legs included."""
    fields = Fields(row)
    broker_status = fields.words("status")
    legs = tuple(read_order(leg) for leg in fields.rows("legs"))
    return BrokerOrder(
        broker_order_id=fields.words("id"),
        client_order_id=fields.words("client_order_id"),
        symbol=with_dashes(fields.words("symbol")),
        status=STATUSES.get(broker_status, _S.HELD),
        broker_status=broker_status,
        is_status_known=broker_status in STATUSES,
        side=fields.side(),
        qty=fields.number("qty"),
        filled_qty=fields.number("filled_qty", is_required=True) or ZERO,
        filled_avg_price=fields.number("filled_avg_price"),
        order_type=fields.text("type") or fields.text("order_type") or "",
        time_in_force=fields.text("time_in_force") or "",
        order_class=fields.text("order_class") or OrderClass.SIMPLE,
        limit_price=fields.number("limit_price"),
        stop_price=fields.number("stop_price"),
        trail_usd=fields.number("trail_price"),
        trail_pct=fields.number("trail_percent"),
        mark_price=fields.number("hwm"),
        is_extended_hours=fields.flag("extended_hours") or False,
        submitted_at=fields.moment("submitted_at"),
        updated_at=fields.moment("updated_at"),
        replaces=fields.text("replaces"),
        replaced_by=fields.text("replaced_by"),
        legs=legs,
        faults=tuple(fields.faults),
    )


def read_activity(row: object) -> ActivityRecord:
    """One account activity. Its id ends with that of the execution, which the stream of updates names too."""
    fields = Fields(row)
    kind, activity_id = fields.words("activity_type"), fields.words("id")
    if kind == FILL:
        return BrokerFill(
            activity_id=activity_id,
            execution_id=activity_id.rpartition("::")[2],
            broker_order_id=fields.words("order_id"),
            symbol=with_dashes(fields.words("symbol")),
            side=fields.side(),
            qty=fields.number("qty", is_required=True),
            price=fields.number("price", is_required=True),
            at=fields.moment("transaction_time", is_required=True),
            kind=fields.text("execution_type") or "fill",
            previous_execution_id=fields.text("previous_id"),
            cum_qty=fields.number("cum_qty"),
            leaves_qty=fields.number("leaves_qty"),
            faults=tuple(fields.faults),
        )
    symbol = fields.text("symbol")
    return BrokerActivity(
        activity_id=activity_id,
        kind=kind,
        amount_usd=fields.number("net_amount"),
        on=fields.day("date"),
        sub_kind=fields.text("activity_sub_type") or "",
        symbol=with_dashes(symbol) if symbol else None,
        qty=fields.number("qty"),
        per_share_usd=fields.number("per_share_amount"),
        status=fields.text("status") or "",
        group_id=fields.text("group_id"),
        faults=tuple(fields.faults),
    )


def read_position(row: object) -> BrokerPosition:
    fields = Fields(row)
    qty = fields.number("qty", is_required=True)
    if qty is not None and fields.text("side") == "short":
        qty = -abs(qty)
    return BrokerPosition(
        symbol=with_dashes(fields.words("symbol")),
        qty=qty,
        avg_entry_price=fields.number("avg_entry_price", is_required=True),
        qty_available=fields.number("qty_available"),
        current_price=fields.number("current_price"),
        market_value_usd=fields.number("market_value"),
        cost_usd=fields.number("cost_basis"),
        faults=tuple(fields.faults),
    )


def read_account(row: object) -> BrokerAccount:
    fields = Fields(row)
    return BrokerAccount(
        account_number=fields.words("account_number"),
        status=fields.words("status"),
        cash_usd=fields.number("cash", is_required=True),
        equity_usd=fields.number("equity", is_required=True),
        buying_power_usd=fields.number("buying_power", is_required=True),
        last_equity_usd=fields.number("last_equity"),
        initial_margin_usd=fields.number("initial_margin"),
        maintenance_margin_usd=fields.number("maintenance_margin"),
        accrued_fees_usd=fields.number("accrued_fees"),
        pending_taf_fees_usd=fields.number("pending_reg_taf_fees"),
        multiplier=fields.number("multiplier"),
        currency=fields.text("currency") or "",
        is_trading_blocked=fields.flag("trading_blocked", is_required=True),
        is_account_blocked=fields.flag("account_blocked", is_required=True),
        is_suspended_by_user=fields.flag("trade_suspended_by_user", is_required=True),
        is_shorting_enabled=fields.flag("shorting_enabled"),
        faults=tuple(fields.faults),
    )


def read_clock(row: object) -> BrokerClock:
    """Alpaca's time. Raises ContractBroken without one: nothing may be timed by it then."""
    fields = Fields(row)
    now = fields.moment("timestamp")
    if now is None:
        raise ContractBroken(f"alpaca's clock does not say what time it is: {str(row)[:120]!r}")
    is_open = fields.flag("is_open") or False
    return BrokerClock(now, is_open, fields.moment("next_open"), fields.moment("next_close"))


def read_asset(row: object, symbol: str) -> Instrument:
    """The instrument that is `symbol` here; what Alpaca does not say of it is as if it were forbidden."""
    fields = Fields(row)
    borrow_status = fields.text("borrow_status")
    easy = fields.flag("easy_to_borrow") if borrow_status is None else borrow_status == "easy_to_borrow"
    return Instrument(
        symbol=symbol,
        name=fields.text("name") or symbol,
        exchange=fields.text("exchange") or "",
        is_tradable=bool(fields.flag("tradable")) and fields.text("status") == "active",
        is_shortable=bool(fields.flag("shortable")),
        asset_class=fields.text("class") or "",
        is_fractionable=fields.flag("fractionable"),
        is_easy_to_borrow=easy,
        is_unqualified_partnership="ptp_no_exception" in fields.rows("attributes"),
        source_id=fields.text("id"),
    )


def read_update(row: object) -> OrderUpdate:
    """The data of a message on the stream of trade updates."""
    fields = Fields(row)
    order = row.get("order") if isinstance(row, dict) else None
    return OrderUpdate(
        event=fields.words("event"),
        order=read_order(order),
        at=fields.moment("timestamp") or fields.moment("at"),
        execution_id=fields.text("execution_id"),
        previous_execution_id=fields.text("previous_execution_id"),
        qty=fields.number("qty"),
        price=fields.number("price"),
        position_qty=fields.number("position_qty"),
    )


def acknowledgement(status: int, body: bytes, client_order_id: str) -> Acknowledgement:
    """What the answer to an order proves. Only Alpaca's own words refuse one; whatever is unclear is unknown."""
    answer = body.decode("utf-8", errors="replace")
    try:
        document = exact_json(body)
    except ContractBroken as error:
        return _unknown(f"status {status}: {error}", status, answer)
    if 200 <= status < 300:
        order = read_order(document)
        if order.broker_order_id and order.client_order_id == client_order_id:
            return Acknowledgement(_S.ACKED, order, http_status=status, answer=answer)
        return _unknown(f"status {status} with another order than {client_order_id}", status, answer)
    fields = Fields(document)
    code, message = fields.number("code"), fields.text("message")
    if code is None or not message:
        return _unknown(f"status {status} without the broker's own error code", status, answer)
    if status not in REFUSALS or USED_BEFORE in message.lower():
        return _unknown(message, status, answer, str(code))
    return Acknowledgement(_S.REJECTED, None, str(code), message, status, answer)


def _unknown(message: str, http_status: int, answer: str, code: str = "") -> Acknowledgement:
    return Acknowledgement(_S.SUBMIT_UNKNOWN, None, code, message, http_status, answer)


# Requests -----------------------------------------------------------------------------------------


def order_body(request: OrderRequest) -> dict[str, Any]:
    """The JSON of a new order. Amounts are text: a number would be rounded to a binary fraction on its way."""
    profit, loss = request.take_profit_price, request.stop_loss_price
    if request.order_class is OrderClass.OCO:
        profit = request.limit_price
    body: dict[str, Any] = {
        "client_order_id": request.client_order_id,
        "symbol": with_dots(request.symbol),
        "side": request.side.value,
        "qty": plain(request.qty),
        "type": request.order_type.value,
        "time_in_force": request.time_in_force.value,
        "extended_hours": request.is_extended_hours,
        "limit_price": None if request.order_class is OrderClass.OCO else _amount(request.limit_price),
        "stop_price": _amount(request.stop_price),
        "trail_price": _amount(request.trail_usd),
        "trail_percent": _amount(request.trail_pct),
    }
    if request.order_class is not OrderClass.SIMPLE:
        body["order_class"] = request.order_class.value
    if profit is not None:
        body["take_profit"] = {"limit_price": plain(profit)}
    if loss is not None:
        limit = request.stop_loss_limit_price
        body["stop_loss"] = {"stop_price": plain(loss)} | ({} if limit is None else {"limit_price": plain(limit)})
    return {name: value for name, value in body.items() if value is not None}


def replacement_body(replacement: Replacement) -> dict[str, str]:
    """The JSON of a request to replace an order."""
    body = {
        "client_order_id": replacement.client_order_id,
        "qty": _amount(replacement.qty),
        "limit_price": _amount(replacement.limit_price),
        "stop_price": _amount(replacement.stop_price),
        "trail": _amount(replacement.trail),
        "time_in_force": replacement.time_in_force and replacement.time_in_force.value,
    }
    return {name: value for name, value in body.items() if value is not None}


def _amount(number: Decimal | None) -> str | None:
    return None if number is None else plain(number)


def with_dashes(symbol: str) -> str:
    """Our name of a share class for Alpaca's: BRK-B for BRK.B."""
    return symbol.replace(".", "-")
