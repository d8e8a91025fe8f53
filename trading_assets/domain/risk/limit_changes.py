"""Limits over time: which changes of trading.yaml's limits count at a moment, and which of them loosen.

Who may change what, and where changes are kept, belongs to the adapters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from trading_assets.domain.risk.limits import RiskLimits

HIGHER_IS_TIGHTER = ("cash_buffer", "cut_off_margin_s", "duplicate_window_s", "margin_buffer", "min_")
LOWER_IS_TIGHTER = ("approval_ttl_s", "cluster_correlation", "max_", "stop_", "allow_")
"""How their names begin."""


@dataclass(frozen=True, slots=True)
class LimitChange:
    """Somebody set the limit `name`. Times are UTC; `counts_from` is None while it waits for a second person."""

    limit_no: int
    name: str
    value: Any
    effective_from: datetime
    is_loosening: bool
    needs_confirmation: bool
    set_by: str
    why: str
    set_at: datetime
    confirmed_by: str | None
    confirmed_at: datetime | None
    counts_from: datetime | None


Schedule = tuple[tuple[datetime, RiskLimits], ...]
"""Limits by the time from which they count, in order of time."""


def values_at(base: Mapping[str, Any], changes: Iterable[LimitChange], at: datetime) -> dict[str, Any]:
    """The values in force at `at` (UTC): of each name the newest change that counts by then, else that of `base`.

    The newest is the one set last, not the one that takes effect last: a tightening is never undone by a loosening
    that somebody had scheduled before it.
    """
    values = dict(base)
    for change in sorted(changes, key=lambda one: one.limit_no):
        if change.counts_from is not None and change.counts_from <= at:
            values[change.name] = change.value
    return values


def schedule(
    base: Mapping[str, Any], changes: Iterable[LimitChange], limits_of: Callable[[Mapping[str, Any]], RiskLimits]
) -> Schedule:
    """The limits from each time on at which some change begins to count; empty when nothing was ever changed."""
    known = list(changes)
    times = sorted({change.counts_from for change in known if change.counts_from is not None})
    return tuple((at, limits_of(values_at(base, known, at))) for at in times)


def is_loosening(name: str, before: Any, after: Any) -> bool:
    """Whether `after` allows something that `before` does not. A change that is not surely a tightening loosens.

    None is no limit at all.
    """
    if before == after or before is None:
        return False
    if after is None:
        return True
    if name.startswith(HIGHER_IS_TIGHTER):
        return bool(after < before)
    if name.startswith(LOWER_IS_TIGHTER):
        return bool(after > before)
    return True
