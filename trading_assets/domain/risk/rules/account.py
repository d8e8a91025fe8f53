"""What the law and the broker ask of the account, and whether everything about it is settled and as configured."""

from __future__ import annotations

from trading_assets.domain.risk.rules.ruling import Count, Flag, Ppm, Ruling, Shares, Usd, ceil_share


def pattern_day_trader(
    day_trades: Count,
    is_day_trade: Flag,
    max_day_trades: Count,
    start_equity_usd: Usd,
    day_trader_min_equity_usd: Usd,
) -> Ruling:
    """RC-34: an account that began the session below the minimum does not become a pattern day trader by this order."""
    count = day_trades + is_day_trade
    is_small = start_equity_usd < day_trader_min_equity_usd
    is_pattern = is_day_trade and count > max_day_trades
    return Ruling(not (is_small and is_pattern), count, max_day_trades, 0)


def maintenance_excess(
    qty: Shares,
    directed_qty: Shares,
    worst_qty: Shares,
    margin_per_share: Usd,
    other_margin_usd: Usd,
    equity_usd: Usd,
    margin_buffer: Ppm,
) -> Ruling:
    """RC-35: USD of equity beyond the maintenance margin, when this and every other order has filled at its worst.

    An order that leaves its symbol's worst as it is asks for no more margin.
    """
    needed_usd = ceil_share(equity_usd, margin_buffer)
    excess_usd = equity_usd - other_margin_usd - max(worst_qty, directed_qty + qty) * margin_per_share
    within_qty = (equity_usd - needed_usd - other_margin_usd) // margin_per_share
    return Ruling(
        excess_usd >= needed_usd or directed_qty + qty <= worst_qty,
        excess_usd,
        needed_usd,
        max(within_qty, worst_qty) - directed_qty,
    )


def resolved(unresolved_orders: Count, open_breaks: Count) -> Ruling:
    """RC-37: orders in the symbol whose fate nobody knows, and differences from the broker that nobody explained."""
    count = unresolved_orders + open_breaks
    return Ruling(count < 1, count, 1, 0)


def environment(is_own_account: Flag, is_own_broker: Flag, is_key_for_venue: Flag, is_allowed_number: Flag) -> Ruling:
    """RC-40: the order is for the account that was loaded, at the broker that is configured; the key in use is for that
    one, paper or live, and opens the account whose number is allowed."""
    is_own = is_own_account and is_own_broker and is_key_for_venue and is_allowed_number
    return Ruling(is_own, is_own, True, 0)
