"""What the account would hold with this order: filled, plus working and approved orders, at their worst.

Equality passes every cap; an order that makes nothing larger passes however far the account is beyond one.
"""

from __future__ import annotations

from trading_assets.domain.risk.rules.ruling import Ppm, Ruling, Shares, Usd, floor_share


def position(qty: Shares, directed_qty: Shares, reference_price: Usd, equity_usd: Usd, max_position: Ppm) -> Ruling:
    """RC-21: USD value of the symbol's position when all orders of this side fill and none of the other."""
    limit_usd = floor_share(equity_usd, max_position)
    value_usd = max(0, directed_qty + qty) * reference_price
    return Ruling(value_usd <= limit_usd, value_usd, limit_usd, limit_usd // reference_price - directed_qty)


def gross_exposure(
    qty: Shares,
    directed_qty: Shares,
    worst_qty: Shares,
    other_symbols_usd: Usd,
    reference_price: Usd,
    equity_usd: Usd,
    max_gross_exposure: Ppm,
) -> Ruling:
    """RC-22: sum of all symbols' worst absolute USD values, unless this order leaves its symbol's worst as it is."""
    limit_usd = floor_share(equity_usd, max_gross_exposure)
    value_usd = other_symbols_usd + max(worst_qty, directed_qty + qty) * reference_price
    within_limit_qty = (limit_usd - other_symbols_usd) // reference_price
    return Ruling(
        value_usd <= limit_usd or directed_qty + qty <= worst_qty,
        value_usd,
        limit_usd,
        max(within_limit_qty, worst_qty) - directed_qty,
    )
