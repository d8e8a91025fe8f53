"""Alpaca's wire format, from the broker's side: how it writes its records, and how it reads an order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any

from trading_assets.domain.execution.broker_records import (
    ActivityRecord,
    BrokerAccount,
    BrokerClock,
    BrokerFill,
    BrokerOrder,
    BrokerPosition,
    OrderRequest,
    OrderUpdate,
    Replacement,
)
from trading_assets.domain.execution.orders import OrderClass, OrderStatus, OrderType, TimeInForce
from trading_assets.domain.execution.venue_rules import Refusal, RefusalKind
from trading_assets.domain.market.corporate_actions import ActionKind, CorporateAction
from trading_assets.domain.market.instruments import Instrument
from trading_assets.domain.market.sessions import NEW_YORK, next_session, session
from trading_assets.domain.values import Side, plain

ACCOUNT_ID = "e2b7a0c4-5f0e-4a56-9d2f-6a1f0c9f7e11"
CREATED_AT = "2024-01-02T15:00:00Z"
STATUS_WORDS = {
    OrderStatus.ACKED: "accepted",
    OrderStatus.WORKING: "new",
    OrderStatus.PARTIALLY_FILLED: "partially_filled",
    OrderStatus.FILLED: "filled",
    OrderStatus.DONE_FOR_DAY: "done_for_day",
    OrderStatus.PENDING_CANCEL: "pending_cancel",
    OrderStatus.PENDING_REPLACE: "pending_replace",
    OrderStatus.HELD: "held",
    OrderStatus.CANCELED: "canceled",
    OrderStatus.EXPIRED: "expired",
    OrderStatus.REPLACED: "replaced",
    OrderStatus.REJECTED: "rejected",
}
ERRORS = {
    RefusalKind.MALFORMED: (422, 40010001),
    RefusalKind.UNPROCESSABLE: (422, 42210000),
    RefusalKind.DUPLICATE: (422, 40010001),
    RefusalKind.FORBIDDEN: (403, 40310000),
    RefusalKind.NOT_FOUND: (404, 40410000),
}
Json = dict[str, Any]


# Writing ------------------------------------------------------------------------------------------


def order_json(order: BrokerOrder, asset_id: str) -> Json:
    status, at = order.status, _time(order.updated_at)
    return {
        "id": order.broker_order_id,
        "client_order_id": order.client_order_id,
        "created_at": _time(order.submitted_at),
        "updated_at": at,
        "submitted_at": _time(order.submitted_at),
        "filled_at": at if status is OrderStatus.FILLED else None,
        "expired_at": at if status is OrderStatus.EXPIRED else None,
        "canceled_at": at if status is OrderStatus.CANCELED else None,
        "failed_at": at if status is OrderStatus.REJECTED else None,
        "replaced_at": at if status is OrderStatus.REPLACED else None,
        "replaced_by": order.replaced_by,
        "replaces": order.replaces,
        "asset_id": asset_id,
        "symbol": order.symbol.replace("-", "."),
        "asset_class": "us_equity",
        "notional": None,
        "qty": _amount(order.qty),
        "filled_qty": plain(order.filled_qty),
        "filled_avg_price": _amount(order.filled_avg_price),
        "order_class": "" if order.order_class == OrderClass.SIMPLE else str(order.order_class),
        "order_type": str(order.order_type),
        "type": str(order.order_type),
        "side": str(order.side),
        "time_in_force": str(order.time_in_force),
        "limit_price": _amount(order.limit_price),
        "stop_price": _amount(order.stop_price),
        "status": STATUS_WORDS[status],
        "extended_hours": order.is_extended_hours,
        "legs": [order_json(leg, asset_id) for leg in order.legs] or None,
        "trail_percent": _amount(order.trail_pct),
        "trail_price": _amount(order.trail_usd),
        "hwm": _amount(order.mark_price),
    }


def update_json(update: OrderUpdate, asset_id: str) -> Json:
    data: Json = {"event": update.event, "timestamp": _time(update.at), "order": order_json(update.order, asset_id)}
    if update.execution_id is not None:
        data |= {
            "execution_id": update.execution_id,
            "qty": _amount(update.qty),
            "price": _amount(update.price),
            "position_qty": _amount(update.position_qty),
        }
    if update.previous_execution_id is not None:
        data["previous_execution_id"] = update.previous_execution_id
    return {"stream": "trade_updates", "data": data}


def activity_json(recorded_at: datetime, record: ActivityRecord) -> Json:
    if isinstance(record, BrokerFill):
        row: Json = {
            "id": record.activity_id,
            "activity_type": "FILL",
            "transaction_time": _time(record.at),
            "type": "partial_fill" if record.leaves_qty else "fill",
            "price": _amount(record.price),
            "qty": _amount(record.qty),
            "side": str(record.side),
            "symbol": record.symbol.replace("-", "."),
            "leaves_qty": _amount(record.leaves_qty),
            "order_id": record.broker_order_id,
            "cum_qty": _amount(record.cum_qty),
        }
        if record.previous_execution_id is not None:
            row |= {"execution_type": record.kind, "previous_id": record.previous_execution_id}
        return row
    row = {
        "id": record.activity_id,
        "activity_type": record.kind,
        "date": str(record.on),
        "net_amount": _amount(record.amount_usd),
        "created_at": _time(recorded_at),
        "status": "executed",
    }
    return row if record.symbol is None else row | {"symbol": record.symbol.replace("-", ".")}


def account_json(account: BrokerAccount, positions: Sequence[BrokerPosition]) -> Json:
    values = [position.market_value_usd or Decimal(0) for position in positions]
    return {
        "id": ACCOUNT_ID,
        "account_number": account.account_number,
        "status": account.status,
        "currency": account.currency,
        "cash": _amount(account.cash_usd),
        "portfolio_value": _amount(account.equity_usd),
        "equity": _amount(account.equity_usd),
        "last_equity": _amount(account.last_equity_usd),
        "buying_power": _amount(account.buying_power_usd),
        "long_market_value": plain(sum((value for value in values if value > 0), Decimal(0))),
        "short_market_value": plain(sum((value for value in values if value < 0), Decimal(0))),
        "initial_margin": _amount(account.initial_margin_usd),
        "maintenance_margin": _amount(account.maintenance_margin_usd),
        "accrued_fees": _amount(account.accrued_fees_usd),
        "pending_reg_taf_fees": _amount(account.pending_taf_fees_usd),
        "multiplier": _amount(account.multiplier),
        "trading_blocked": account.is_trading_blocked,
        "transfers_blocked": False,
        "account_blocked": account.is_account_blocked,
        "trade_suspended_by_user": account.is_suspended_by_user,
        "shorting_enabled": account.is_shorting_enabled,
        "created_at": CREATED_AT,
    }


def configurations_json(is_suspended: bool) -> Json:
    return {"suspend_trade": is_suspended, "no_shorting": False, "fractional_trading": True}


def position_json(position: BrokerPosition, instrument: Instrument) -> Json:
    qty, value, cost = (number or Decimal(0) for number in (position.qty, position.market_value_usd, position.cost_usd))
    gain = value - cost
    return {
        "asset_id": instrument.source_id,
        "symbol": position.symbol.replace("-", "."),
        "exchange": instrument.exchange,
        "asset_class": "us_equity",
        "asset_marginable": True,
        "qty": plain(qty),
        "qty_available": _amount(position.qty_available),
        "avg_entry_price": _amount(position.avg_entry_price),
        "side": "long" if qty > 0 else "short",
        "market_value": plain(value),
        "cost_basis": plain(cost),
        "unrealized_pl": plain(gain),
        "unrealized_plpc": plain(gain / abs(cost)) if cost else "0",
        "unrealized_intraday_pl": plain(gain),
        "unrealized_intraday_plpc": "0",
        "current_price": _amount(position.current_price),
        "lastday_price": _amount(position.current_price),
        "change_today": "0",
    }


def asset_json(instrument: Instrument) -> Json:
    return {
        "id": instrument.source_id,
        "class": instrument.asset_class,
        "exchange": instrument.exchange,
        "symbol": instrument.symbol.replace("-", "."),
        "name": instrument.name,
        "status": "active",
        "tradable": instrument.is_tradable,
        "marginable": True,
        "shortable": instrument.is_shortable,
        "easy_to_borrow": bool(instrument.is_easy_to_borrow),
        "fractionable": bool(instrument.is_fractionable),
        "attributes": ["ptp_no_exception"] if instrument.is_unqualified_partnership else [],
    }


def clock_json(clock: BrokerClock) -> Json:
    times = {"timestamp": clock.now, "next_open": clock.next_open, "next_close": clock.next_close}
    moments = {name: at and at.astimezone(NEW_YORK).isoformat() for name, at in times.items()}
    return {**moments, "is_open": clock.is_open}


def calendar_day_json(day: date) -> Json:
    trading = session(day)
    opens, closes = (at.astimezone(NEW_YORK) for at in (trading.opens_at, trading.closes_at))
    return {
        "date": str(day),
        "open": f"{opens:%H:%M}",
        "close": f"{closes:%H:%M}",
        "session_open": "0400",
        "session_close": "2000" if closes.time() == time(16) else "1700",
        "settlement_date": str(next_session(day)),
    }


def corporate_actions_json(actions: Sequence[CorporateAction]) -> Json:
    lists: Json = {"cash_dividends": [], "forward_splits": []}
    for number, action in enumerate(actions):
        row: Json = {"id": f"{number:08d}", "symbol": action.symbol.replace("-", "."), "ex_date": str(action.ex_date)}
        if action.kind is ActionKind.CASH_DIVIDEND:
            row |= {"rate": float(action.amount_usd or 0), "payable_date": str(action.pay_date)}
            lists["cash_dividends"].append(row)
        elif action.kind is ActionKind.SPLIT:
            row |= {"new_rate": float(action.split_ratio or 1), "old_rate": 1.0}
            lists["forward_splits"].append(row)
    return {"corporate_actions": lists, "next_page_token": None}


def quote_json(last_price: Decimal, at: datetime) -> Json:
    """A bid and an offer one cent apart around the price of the last trade."""
    half_spread = Decimal("0.005")
    return {
        "t": _time(at),
        "bp": float(last_price - half_spread),
        "bs": 1,
        "ap": float(last_price + half_spread),
        "as": 1,
    }


def error_json(refusal: Refusal) -> tuple[int, Json]:
    status, code = ERRORS[refusal.kind]
    return status, {"code": code, "message": refusal.message}


# Reading ------------------------------------------------------------------------------------------


def request_of(body: Mapping[str, Any], generated_id: str) -> OrderRequest:
    """The order that a client's JSON asks for. Raises Refusal."""
    profit, loss = body.get("take_profit") or {}, body.get("stop_loss") or {}
    order_class = _word(OrderClass, body.get("order_class") or "simple", "order_class")
    is_oco = order_class is OrderClass.OCO
    qty = _decimal(body, "qty")
    if qty is None:
        raise Refusal(RefusalKind.MALFORMED, "qty or notional is required")
    return OrderRequest(
        client_order_id=body.get("client_order_id") or generated_id,
        symbol=str(body.get("symbol", "")).replace(".", "-"),
        side=_word(Side, body.get("side"), "side"),
        qty=qty,
        order_type=_word(OrderType, body.get("type"), "type"),
        time_in_force=_word(TimeInForce, body.get("time_in_force"), "time_in_force"),
        limit_price=_decimal(profit, "limit_price") if is_oco else _decimal(body, "limit_price"),
        stop_price=_decimal(body, "stop_price"),
        trail_usd=_decimal(body, "trail_price"),
        trail_pct=_decimal(body, "trail_percent"),
        is_extended_hours=bool(body.get("extended_hours")),
        order_class=order_class,
        take_profit_price=None if is_oco else _decimal(profit, "limit_price"),
        stop_loss_price=_decimal(loss, "stop_price"),
        stop_loss_limit_price=_decimal(loss, "limit_price"),
    )


def replacement_of(body: Mapping[str, Any], generated_id: str) -> Replacement:
    """What a client's JSON wants an order to become. Raises Refusal."""
    time_in_force = body.get("time_in_force")
    return Replacement(
        client_order_id=body.get("client_order_id") or generated_id,
        qty=_decimal(body, "qty"),
        limit_price=_decimal(body, "limit_price"),
        stop_price=_decimal(body, "stop_price"),
        trail=_decimal(body, "trail"),
        time_in_force=time_in_force and _word(TimeInForce, time_in_force, "time_in_force"),
    )


def moment_of(text: str) -> datetime:
    """A time, or the beginning of a day, that a client asks about."""
    moment = datetime.fromisoformat(text.replace(" ", "+"))
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _word(words: Any, value: object, name: str) -> Any:
    try:
        return words(value)
    except ValueError as error:
        raise Refusal(RefusalKind.MALFORMED, f"invalid {name}: {value}") from error


def _decimal(body: Mapping[str, Any], name: str) -> Decimal | None:
    value = body.get(name)
    try:
        return None if value is None else Decimal(str(value))
    except InvalidOperation as error:
        raise Refusal(RefusalKind.MALFORMED, f"{name} is not a number: {value}") from error


def _amount(number: Decimal | None) -> str | None:
    return None if number is None else plain(number)


def _time(at: datetime | None) -> str | None:
    return None if at is None else f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"
