"""What a state of the market, or an exit before, keeps from being opened. Closing passes."""

from __future__ import annotations

from trading_assets.domain.risk.rules.ruling import Count, Ruling, Shares


def regime(qty: Shares, closable_qty: Shares, regime_breakers: Count) -> Ruling:
    """RC-32: no breaker of volatility or correlation is latched, whatever else it may do."""
    return Ruling(regime_breakers < 1 or qty <= closable_qty, regime_breakers, 1, closable_qty)


def protection(qty: Shares, closable_qty: Shares, active_locks: Count) -> Ruling:
    """RC-33: no protection locks the symbol, the side or the strategy."""
    return Ruling(active_locks < 1 or qty <= closable_qty, active_locks, 1, closable_qty)
