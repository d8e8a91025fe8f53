"""The prices and the kind of an order: on the grid, on the right side, near the market, and possible at all.

A price of zero is one that the order does not have: the rule is about nothing then, and passes.
"""

from __future__ import annotations

from typing import Annotated, Final

from trading_assets.domain.risk.rules.ruling import Direction, Flag, Ppm, Ruling, Unit, Usd, floor_share

PLACEMENT = Unit("placement", words=("refused", "later", "now"))
Placement = Annotated[int, PLACEMENT]
REFUSED: Final = 0


def price_grid(limit_price: Usd, stop_price: Usd, tick_from_one: Usd, tick_below_one: Usd) -> Ruling:
    """RC-11: limit and stop stand on the grid of prices that is law on the day, which is finer below one dollar."""
    limit_tick = tick_from_one if limit_price >= 1_000_000 else tick_below_one
    stop_tick = tick_from_one if stop_price >= 1_000_000 else tick_below_one
    off_usd = limit_price % limit_tick + stop_price % stop_tick
    return Ruling(off_usd == 0, off_usd, 0, 0)


def stop_side(direction: Direction, stop_price: Usd, reference_price: Usd) -> Ruling:
    """RC-11: a stop waits on the far side of the market, above it to buy and below it to sell; else it is no stop."""
    is_far = direction * (stop_price - reference_price) > 0
    return Ruling(is_far or stop_price == 0, stop_price, reference_price, 0)


def legal_order(placement: Placement) -> Ruling:
    """RC-12: an order of this type and time in force is taken in this phase of the day, for now or for later."""
    return Ruling(placement > REFUSED, placement, REFUSED, 0)


def limit_distance(limit_price: Usd, reference_price: Usd, max_limit_distance: Ppm) -> Ruling:
    """RC-15: USD between a limit and the reference price, in either direction."""
    distance_usd = abs(limit_price - reference_price) if limit_price > 0 else 0
    limit_usd = floor_share(reference_price, max_limit_distance)
    return Ruling(distance_usd <= limit_usd, distance_usd, limit_usd, 0)


def stop_distance(stop_price: Usd, reference_price: Usd, max_stop_distance: Ppm) -> Ruling:
    """RC-15: USD between a stop and the reference price."""
    distance_usd = abs(stop_price - reference_price) if stop_price > 0 else 0
    limit_usd = floor_share(reference_price, max_stop_distance)
    return Ruling(distance_usd <= limit_usd, distance_usd, limit_usd, 0)


def quoted_spread(is_at_broker: Flag, bid: Usd, ask: Usd, max_spread: Ppm) -> Ruling:
    """RC-15: what is bid and asked is close together; a simulated broker trades at bars, and needs no quote."""
    spread_usd = ask - bid
    limit_usd = floor_share((bid + ask) // 2, max_spread)
    is_quoted = bid > 0 and spread_usd >= 0
    return Ruling((is_quoted and spread_usd <= limit_usd) or not is_at_broker, spread_usd, limit_usd, 0)
