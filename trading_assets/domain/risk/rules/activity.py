"""How much the account does: the same order twice, orders against each other, too many at once or in a session.

An order that surely closes is not kept from it by how many there were: a loop of orders cannot live on closing alone.
"""

from __future__ import annotations

from trading_assets.domain.risk.rules.ruling import Count, Flag, Ppm, Ruling, Shares, Usd, floor_share


def no_duplicate(twin_age_s: Count, duplicate_window_s: Count) -> Ruling:
    """RC-19: seconds since the strategy's last decision on the same order: symbol, side and quantity."""
    return Ruling(twin_age_s > duplicate_window_s, twin_age_s, duplicate_window_s, 0)


def no_self_cross(opposing_orders: Count, allow_self_cross: Flag) -> Ruling:
    """RC-20: own orders on the other side, of any strategy, that this one could trade with."""
    return Ruling(opposing_orders < 1 or allow_self_cross, opposing_orders, 1, 0)


def open_orders_of_symbol(
    qty: Shares, closable_qty: Shares, symbol_open_orders: Count, max_open_orders_symbol: Count
) -> Ruling:
    """RC-26: open orders in the symbol, with this one."""
    is_passed = symbol_open_orders < max_open_orders_symbol or qty <= closable_qty
    return Ruling(is_passed, symbol_open_orders + 1, max_open_orders_symbol, closable_qty)


def open_orders_of_account(qty: Shares, closable_qty: Shares, open_orders: Count, max_open_orders: Count) -> Ruling:
    """RC-26: open orders of the account, with this one."""
    is_passed = open_orders < max_open_orders or qty <= closable_qty
    return Ruling(is_passed, open_orders + 1, max_open_orders, closable_qty)


def order_rate_of_symbol(
    qty: Shares, closable_qty: Shares, symbol_bucket: Ppm, max_symbol_orders_second: Count
) -> Ruling:
    """RC-27: orders in the symbol's bucket, with this one. It empties by its brim a second."""
    value, limit = symbol_bucket + 1_000_000, max_symbol_orders_second * 1_000_000
    return Ruling(value <= limit or qty <= closable_qty, value, limit, closable_qty)


def order_rate_of_strategy(
    qty: Shares, closable_qty: Shares, strategy_bucket: Ppm, max_strategy_orders_minute: Count
) -> Ruling:
    """RC-27: orders in the strategy's bucket, with this one. It empties by its brim a minute."""
    value, limit = strategy_bucket + 1_000_000, max_strategy_orders_minute * 1_000_000
    return Ruling(value <= limit or qty <= closable_qty, value, limit, closable_qty)


def order_rate_of_account(qty: Shares, closable_qty: Shares, account_bucket: Ppm, max_orders_minute: Count) -> Ruling:
    """RC-27: orders in the account's bucket, with this one. It empties by its brim a minute."""
    value, limit = account_bucket + 1_000_000, max_orders_minute * 1_000_000
    return Ruling(value <= limit or qty <= closable_qty, value, limit, closable_qty)


def orders_of_session(qty: Shares, closable_qty: Shares, session_orders: Count, max_session_orders: Count) -> Ruling:
    """RC-28: orders of the session, with this one."""
    is_passed = session_orders < max_session_orders or qty <= closable_qty
    return Ruling(is_passed, session_orders + 1, max_session_orders, closable_qty)


def turnover_of_session(
    qty: Shares,
    closable_qty: Shares,
    session_turnover_usd: Usd,
    reference_price: Usd,
    equity_usd: Usd,
    max_session_turnover: Ppm,
) -> Ruling:
    """RC-28: USD value of the session's orders, with this one, at their reference prices."""
    limit_usd = floor_share(equity_usd, max_session_turnover)
    value_usd = session_turnover_usd + qty * reference_price
    left_qty = (limit_usd - session_turnover_usd) // reference_price
    return Ruling(value_usd <= limit_usd or qty <= closable_qty, value_usd, limit_usd, max(closable_qty, left_qty))


def reversals_of_session(
    qty: Shares, closable_qty: Shares, symbol_reversals: Count, is_reversal: Flag, max_session_reversals: Count
) -> Ruling:
    """RC-28: how often the session's orders in the symbol changed their side, with this one."""
    reversals = symbol_reversals + is_reversal
    is_passed = reversals <= max_session_reversals or qty <= closable_qty
    return Ruling(is_passed, reversals, max_session_reversals, closable_qty)
