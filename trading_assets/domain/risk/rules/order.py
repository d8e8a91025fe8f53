"""The order on its own: its quantity, its value, what it may cost and what it sells. Equality passes every cap.

Caps on value and cost count only shares that open: an order that surely closes is never trapped by them.
"""

from __future__ import annotations

from trading_assets.domain.risk.rules.ruling import (
    Count,
    Direction,
    Flag,
    NanoShares,
    Ppm,
    Ruling,
    Shares,
    Usd,
    ceil_share,
    floor_share,
)


def whole_quantity(requested_qty: NanoShares, qty_decimals: Count) -> Ruling:
    """RC-10: positive whole shares, written with at most nine decimals."""
    is_whole = requested_qty > 0 and requested_qty % 1_000_000_000 == 0 and qty_decimals <= 9
    return Ruling(is_whole, requested_qty, 0, 0)


def order_quantity(qty: Shares, max_order_qty: Shares) -> Ruling:
    """RC-13: shares of one order. Closing orders too: what is cut off is wanted again at the next decision."""
    return Ruling(qty <= max_order_qty, qty, max_order_qty, max_order_qty)


def order_notional(
    qty: Shares, closable_qty: Shares, reference_price: Usd, equity_usd: Usd, max_order_notional: Ppm
) -> Ruling:
    """RC-14: USD value of the opening shares of one order, at the reference price."""
    limit_usd = floor_share(equity_usd, max_order_notional)
    value_usd = max(0, qty - closable_qty) * reference_price
    return Ruling(value_usd <= limit_usd, value_usd, limit_usd, closable_qty + limit_usd // reference_price)


def average_volume(
    qty: Shares, closable_qty: Shares, reference_price: Usd, average_volume_usd: Usd, max_order_adv: Ppm
) -> Ruling:
    """RC-16a: USD value of the opening shares against what is traded in the symbol on an average day."""
    limit_usd = floor_share(average_volume_usd, max_order_adv)
    value_usd = max(0, qty - closable_qty) * reference_price
    return Ruling(value_usd <= limit_usd, value_usd, limit_usd, closable_qty + limit_usd // reference_price)


def bar_volume(qty: Shares, closable_qty: Shares, bar_volume_qty: Shares, max_order_bar_volume: Ppm) -> Ruling:
    """RC-16b: the opening shares against those that were traded in the bar that was decided on."""
    limit_qty = floor_share(bar_volume_qty, max_order_bar_volume)
    opening_qty = max(0, qty - closable_qty)
    return Ruling(opening_qty <= limit_qty, opening_qty, limit_qty, closable_qty + limit_qty)


def buying_power(
    qty: Shares,
    closable_qty: Shares,
    worst_price: Usd,
    cash_usd: Usd,
    reserved_usd: Usd,
    equity_usd: Usd,
    cash_buffer: Ppm,
) -> Ruling:
    """RC-17: worst-case USD cost of the opening shares against cash that nothing else needs.

    Free is settled cash less the buffer, working orders, approvals of this moment and what shorts reserve. Sells add
    nothing before they are executed.
    """
    free_usd = max(0, cash_usd - ceil_share(equity_usd, cash_buffer) - reserved_usd)
    cost_usd = max(0, qty - closable_qty) * worst_price
    return Ruling(cost_usd <= free_usd, cost_usd, free_usd, closable_qty + free_usd // worst_price)


def short_sale(direction: Direction, qty: Shares, strategy_long_qty: Shares, allow_short: Flag) -> Ruling:
    """RC-18: unless shorts are allowed, a sell stays within what its own strategy surely still owns."""
    sold_qty = qty if direction == -1 else 0
    return Ruling(allow_short or sold_qty <= strategy_long_qty, sold_qty, strategy_long_qty, strategy_long_qty)


def borrowed_shares(
    direction: Direction,
    qty: Shares,
    closable_qty: Shares,
    is_shortable: Flag,
    is_easy_to_borrow: Flag,
    allow_short: Flag,
) -> Ruling:
    """RC-18: where shorts are allowed, one is opened or enlarged only with shares that the broker lends at once."""
    is_short = allow_short and direction == -1 and qty > closable_qty
    is_borrowable = is_shortable and is_easy_to_borrow
    return Ruling(not is_short or is_borrowable, is_borrowable, True, closable_qty)


def leg_group(qty: Shares, group_qty: Shares) -> Ruling:
    """RC-38: orders that belong together pass together, in the ratio in which they were wanted."""
    return Ruling(qty <= group_qty, qty, group_qty, group_qty)
