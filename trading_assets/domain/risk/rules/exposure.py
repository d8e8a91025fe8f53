"""What the account would hold with this order: filled, plus working and approved orders, at their worst.

Equality passes every cap; an order that makes nothing larger passes however far the account is beyond one.
"""

from __future__ import annotations

from trading_assets.domain.risk.rules.ruling import Ppm, Ruling, Shares, Usd, ceil_share, floor_share


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


def net_exposure(
    qty: Shares,
    closable_qty: Shares,
    directed_net_usd: Usd,
    reference_price: Usd,
    equity_usd: Usd,
    max_net_exposure: Ppm,
) -> Ruling:
    """RC-23a: USD value of all positions together, along the side of the order, when all orders of that side fill."""
    limit_usd = floor_share(equity_usd, max_net_exposure)
    value_usd = max(0, directed_net_usd + qty * reference_price)
    allowed_qty = max(closable_qty, (limit_usd - directed_net_usd) // reference_price)
    return Ruling(value_usd <= limit_usd or qty <= closable_qty, value_usd, limit_usd, allowed_qty)


def beta_exposure(
    qty: Shares,
    closable_qty: Shares,
    directed_beta_usd: Usd,
    beta: Ppm,
    reference_price: Usd,
    equity_usd: Usd,
    max_beta_exposure: Ppm,
) -> Ruling:
    """RC-23b: the same with every value times its beta, in the direction in which the order moves it."""
    limit_usd = floor_share(equity_usd, max_beta_exposure)
    weighted_price = ceil_share(reference_price, abs(beta))
    value_usd = max(0, directed_beta_usd + qty * weighted_price)
    within_limit_qty = (limit_usd - directed_beta_usd) // max(1, weighted_price)
    is_passed = value_usd <= limit_usd or weighted_price == 0 or qty <= closable_qty
    return Ruling(is_passed, value_usd, limit_usd, max(closable_qty, within_limit_qty))


def sector_exposure(
    qty: Shares,
    directed_qty: Shares,
    worst_qty: Shares,
    sector_others_usd: Usd,
    reference_price: Usd,
    equity_usd: Usd,
    max_sector_exposure: Ppm,
) -> Ruling:
    """RC-24: the sum of RC-22 over the symbol's sector. Symbols of unknown sectors are a sector of their own."""
    limit_usd = floor_share(equity_usd, max_sector_exposure)
    value_usd = sector_others_usd + max(worst_qty, directed_qty + qty) * reference_price
    within_limit_qty = (limit_usd - sector_others_usd) // reference_price
    return Ruling(
        value_usd <= limit_usd or directed_qty + qty <= worst_qty,
        value_usd,
        limit_usd,
        max(within_limit_qty, worst_qty) - directed_qty,
    )


def cluster_exposure(
    qty: Shares,
    directed_qty: Shares,
    worst_qty: Shares,
    correlated_others_usd: Usd,
    reference_price: Usd,
    equity_usd: Usd,
    max_cluster_exposure: Ppm,
) -> Ruling:
    """RC-25: the sum of RC-22 over the symbol and those that move with it, or are not known well enough to say."""
    limit_usd = floor_share(equity_usd, max_cluster_exposure)
    value_usd = correlated_others_usd + max(worst_qty, directed_qty + qty) * reference_price
    within_limit_qty = (limit_usd - correlated_others_usd) // reference_price
    return Ruling(
        value_usd <= limit_usd or directed_qty + qty <= worst_qty,
        value_usd,
        limit_usd,
        max(within_limit_qty, worst_qty) - directed_qty,
    )


def strategy_budget(
    qty: Shares,
    strategy_directed_qty: Shares,
    strategy_worst_qty: Shares,
    strategy_others_usd: Usd,
    reference_price: Usd,
    strategy_equity_usd: Usd,
    max_strategy_exposure: Ppm,
) -> Ruling:
    """RC-36: the sum of RC-22 over what the strategy itself holds, against what it may call its own."""
    limit_usd = floor_share(strategy_equity_usd, max_strategy_exposure)
    value_usd = strategy_others_usd + max(strategy_worst_qty, strategy_directed_qty + qty) * reference_price
    within_limit_qty = (limit_usd - strategy_others_usd) // reference_price
    return Ruling(
        value_usd <= limit_usd or strategy_directed_qty + qty <= strategy_worst_qty,
        value_usd,
        limit_usd,
        max(within_limit_qty, strategy_worst_qty) - strategy_directed_qty,
    )
