"""Whether the symbol may be traded at all: what it is, who forbade it, and whether the market trades it now."""

from __future__ import annotations

from trading_assets.domain.risk.rules.ruling import Direction, Flag, Ruling, Shares, Usd, floor_share


def instrument(is_listed: Flag, is_tradable: Flag, is_other_class: Flag, is_over_the_counter: Flag) -> Ruling:
    """RC-06: the symbol means an instrument on this day, a share listed on an exchange, that can be traded."""
    is_expected = is_listed and is_tradable and not is_other_class and not is_over_the_counter
    return Ruling(is_expected, is_expected, True, 0)


def restricted(is_restricted: Flag) -> Ruling:
    """RC-07: nobody trades what is on the restricted list, not even to close it."""
    return Ruling(not is_restricted, is_restricted, False, 0)


def watched(is_watched: Flag, qty: Shares, closable_qty: Shares) -> Ruling:
    """RC-07: of what is on the watch list nothing is opened before a person has taken it off."""
    return Ruling(not is_watched or qty <= closable_qty, is_watched, False, closable_qty)


def partnership(is_unqualified_partnership: Flag, qty: Shares, closable_qty: Shares) -> Ruling:
    """RC-07: nothing is opened of a partnership whose sale is taxed at the source; what is held of it may be closed."""
    is_passed = not is_unqualified_partnership or qty <= closable_qty
    return Ruling(is_passed, is_unqualified_partnership, False, closable_qty)


def resolved_action(has_unresolved_action: Flag) -> Ruling:
    """RC-08: it is known what a share is, today and in the next session."""
    return Ruling(not has_unresolved_action, has_unresolved_action, False, 0)


def halt(is_halted: Flag, is_market_halted: Flag) -> Ruling:
    """RC-09: neither the symbol nor the whole market is halted or paused."""
    is_stopped = is_halted or is_market_halted
    return Ruling(not is_stopped, is_stopped, False, 0)


def short_sale_restriction(
    direction: Direction,
    qty: Shares,
    closable_qty: Shares,
    lowest_price: Usd,
    previous_close: Usd,
    allow_short: Flag,
) -> Ruling:
    """RC-09: no short is opened or enlarged in what fell by a tenth, for the rest of the session and in the next."""
    is_short = allow_short and direction == -1 and qty > closable_qty
    trigger = floor_share(previous_close, 900_000)
    return Ruling(not is_short or lowest_price > trigger, lowest_price, trigger, closable_qty)
