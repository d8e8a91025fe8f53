"""What the account has lost, or would lose. A loss that equals its limit has reached it; then only closing passes."""

from __future__ import annotations

from trading_assets.domain.risk.rules.ruling import Flag, Ppm, Ruling, Shares, Usd, ceil_share, floor_share


def daily_loss(
    qty: Shares,
    closable_qty: Shares,
    equity_usd: Usd,
    start_equity_usd: Usd,
    stop_new_daily_loss: Ppm,
    stop_all_daily_loss: Ppm,
    is_stop_new_tripped: Flag,
    is_stop_all_tripped: Flag,
) -> Ruling:
    """RC-30: while the session's loss has reached stop-new or stop-all, or either is latched, only closing passes."""
    loss_usd = start_equity_usd - equity_usd
    is_stop_all = is_stop_all_tripped or loss_usd >= ceil_share(start_equity_usd, stop_all_daily_loss)
    is_stop_new = is_stop_new_tripped or loss_usd >= ceil_share(start_equity_usd, stop_new_daily_loss)
    limit = stop_all_daily_loss if is_stop_all else stop_new_daily_loss
    is_passed = qty <= closable_qty or not (is_stop_all or is_stop_new)
    return Ruling(is_passed, -loss_usd / start_equity_usd, -limit / 1_000_000, closable_qty)


def drawdown(
    qty: Shares,
    closable_qty: Shares,
    equity_usd: Usd,
    high_water_mark_usd: Usd,
    stop_all_drawdown: Ppm,
    is_drawdown_tripped: Flag,
) -> Ruling:
    """RC-31: while the drawdown has reached its limit or its breaker is latched, only closing passes."""
    loss_usd = high_water_mark_usd - equity_usd
    is_stopped = is_drawdown_tripped or loss_usd >= ceil_share(high_water_mark_usd, stop_all_drawdown)
    is_passed = qty <= closable_qty or not is_stopped
    return Ruling(is_passed, -loss_usd / high_water_mark_usd, -stop_all_drawdown / 1_000_000, closable_qty)


def stress_loss(
    qty: Shares,
    closable_qty: Shares,
    market_stress_usd: Usd,
    stress_per_share_usd: Usd,
    equity_usd: Usd,
    max_stress_loss: Ppm,
) -> Ruling:
    """RC-39: USD loss in the worst market fall of the stress set, with what each share of the order may add to it."""
    limit_usd = floor_share(equity_usd, max_stress_loss)
    loss_usd = market_stress_usd + qty * stress_per_share_usd
    within_limit_qty = (limit_usd - market_stress_usd) // max(1, stress_per_share_usd)
    is_passed = loss_usd <= limit_usd or stress_per_share_usd == 0 or qty <= closable_qty
    return Ruling(is_passed, max(0, loss_usd), limit_usd, max(closable_qty, within_limit_qty))
