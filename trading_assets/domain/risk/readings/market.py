"""Readings that need to know the market: volumes, betas, sectors, what moves together. Only some limits ask for them.

Statistics become whole numbers here, betas in parts per million, so that rules stay exact.
"""

from __future__ import annotations

from math import ceil, floor
from typing import TYPE_CHECKING

from trading_assets.domain.risk.inputs import InputMissingError, positive, unsigned
from trading_assets.domain.risk.price_falls import Fall
from trading_assets.domain.risk.rules.ruling import MILLION, Ppm, Shares, Usd, ceil_share
from trading_assets.domain.risk.stress import MARKET_MOVES
from trading_assets.domain.values import Side

if TYPE_CHECKING:
    from trading_assets.domain.risk.case import Case


def average_volume_usd(case: Case) -> Usd:
    """Mean value traded in a session, over the newest 20 or as many as there are."""
    mean_usd = case.snapshot.market.average_volume_usd(case.intent.symbol)
    if mean_usd is None:
        raise InputMissingError("average_volume_usd", case.intent.symbol)
    return floor(mean_usd * MILLION)


def bar_volume_qty(case: Case) -> Shares:
    """Shares traded in the bar that was decided on."""
    symbol = case.intent.symbol
    return floor(unsigned(case.snapshot.market.bar_volume(symbol), "bar_volume", symbol))


def lowest_price(case: Case) -> Usd:
    """Of the session whose fall binds the order; 0 where it opens no short, which nobody looks up."""
    fall = _fall(case)
    return 0 if fall is None else floor(positive(fall.lowest_usd, "lowest_price", case.intent.symbol) * MILLION)


def previous_close(case: Case) -> Usd:
    """Of the session before that one, in its shares."""
    fall = _fall(case)
    return (
        0 if fall is None else ceil(positive(fall.previous_close_usd, "previous_close", case.intent.symbol) * MILLION)
    )


def directed_net_usd(case: Case) -> Usd:
    """Sum of all symbols' values along the side of the order, when all orders of that side fill and no other."""
    return case.projection.directed_net_usd(case.intent.side)


def beta(case: Case) -> Ppm:
    """The symbol's beta over 60 sessions to the equal-weighted mean of all symbols."""
    return case.projection.beta(case.intent.symbol)


def directed_beta_usd(case: Case) -> Usd:
    """Sum of all symbols' values x beta, at its worst in the direction in which the order moves it."""
    return case.projection.directed_beta_usd(1 if case["beta"] * case["direction"] >= 0 else -1)


def sector_others_usd(case: Case) -> Usd:
    """Sum of the worst absolute values of the other symbols in the symbol's sector, as of the decision."""
    return case.projection.sector_without_usd(case.intent.symbol)


def correlated_others_usd(case: Case) -> Usd:
    """The same of the other symbols whose correlation with it is beyond `cluster_correlation`, or not known."""
    return case.projection.correlated_without_usd(case.intent.symbol, float(case.limits.cluster_correlation))


def strategy_directed_qty(case: Case) -> Shares:
    """Shares that the strategy holds along the side when all its orders of that side fill and none of the other."""
    return case.projection.strategy_directed_qty(case.intent.strategy, case.intent.symbol, case.intent.side)


def strategy_worst_qty(case: Case) -> Shares:
    """The largest absolute position that any subset of the strategy's orders can lead to."""
    return case.projection.strategy_worst_qty(case.intent.strategy, case.intent.symbol)


def strategy_others_usd(case: Case) -> Usd:
    """Sum of the worst absolute values of what the strategy holds of other symbols."""
    return case.projection.strategy_without_usd(case.intent.strategy, case.intent.symbol)


def strategy_equity_usd(case: Case) -> Usd:
    """The strategy's part of the capital, with what it has won or lost on prices since."""
    strategy = case.intent.strategy
    return floor(positive(case.snapshot.strategy_equity_usd.get(strategy), "strategy_equity_usd", strategy) * MILLION)


def market_stress_usd(case: Case) -> Usd:
    """The loss of what is held and ordered in the worst market fall of the stress set; negative for a profit."""
    return max(case.projection.market_loss_usd(move.change) for move in MARKET_MOVES)


def stress_per_share_usd(case: Case) -> Usd:
    """What a share of the order may add to that loss: its own in the fall that is the worst for it, never a profit."""
    projection, intent = case.projection, case.intent
    worst = max(-intent.side.sign * projection.shock(intent.symbol, move.change) for move in MARKET_MOVES)
    return ceil_share(projection.reference_price(intent.symbol), max(0, worst))


def _fall(case: Case) -> Fall | None:
    """What binds a short sale; None for another order."""
    if not case.limits.allow_short or case["direction"] != Side.SELL.sign or case["qty"] <= case["closable_qty"]:
        return None
    fall = case.snapshot.market.fall(case.intent.symbol)
    if fall is None:
        raise InputMissingError("price_fall", case.intent.symbol)
    return fall


READINGS = (
    average_volume_usd,
    bar_volume_qty,
    lowest_price,
    previous_close,
    directed_net_usd,
    beta,
    directed_beta_usd,
    sector_others_usd,
    correlated_others_usd,
    strategy_directed_qty,
    strategy_worst_qty,
    strategy_others_usd,
    strategy_equity_usd,
    market_stress_usd,
    stress_per_share_usd,
)
