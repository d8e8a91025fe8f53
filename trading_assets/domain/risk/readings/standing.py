"""Readings of how the symbol of the order stands at the moment. Few symbols stand otherwise than all others do."""

from __future__ import annotations

from trading_assets.domain.risk.rules.ruling import Flag
from trading_assets.domain.risk.standings import Condition

Conditions = frozenset[Condition]


def is_listed(conditions: Conditions) -> Flag:
    """Whether the symbol means an instrument on this day, as far as was known."""
    return Condition.LISTED in conditions


def is_tradable(conditions: Conditions) -> Flag:
    return Condition.TRADABLE in conditions


def is_other_class(conditions: Conditions) -> Flag:
    """Whether it is something else than a US equity."""
    return Condition.OTHER_CLASS in conditions


def is_over_the_counter(conditions: Conditions) -> Flag:
    return Condition.OVER_THE_COUNTER in conditions


def is_restricted(conditions: Conditions) -> Flag:
    return Condition.RESTRICTED in conditions


def is_watched(conditions: Conditions) -> Flag:
    return Condition.WATCHED in conditions


def is_unqualified_partnership(conditions: Conditions) -> Flag:
    """Whether a tenth of what a foreign seller gets for it is withheld, as far as anybody said."""
    return Condition.UNQUALIFIED_PARTNERSHIP in conditions


def is_shortable(conditions: Conditions) -> Flag:
    """Whether the broker lends it at all, as far as was known."""
    return Condition.NOT_SHORTABLE not in conditions


def is_easy_to_borrow(conditions: Conditions) -> Flag:
    """Whether it is lent without asking for it first."""
    return Condition.HARD_TO_BORROW not in conditions


def has_unresolved_action(conditions: Conditions) -> Flag:
    """Whether a corporate action of today or the next session leaves open what a share becomes."""
    return Condition.UNRESOLVED_ACTION in conditions


def is_halted(conditions: Conditions) -> Flag:
    return Condition.HALTED in conditions


def is_market_halted(conditions: Conditions) -> Flag:
    """Whether a circuit breaker of the exchanges has stopped all trading."""
    return Condition.MARKET_HALTED in conditions


READINGS = (
    is_listed,
    is_tradable,
    is_other_class,
    is_over_the_counter,
    is_restricted,
    is_watched,
    is_unqualified_partnership,
    is_shortable,
    is_easy_to_borrow,
    has_unresolved_action,
    is_halted,
    is_market_halted,
)
