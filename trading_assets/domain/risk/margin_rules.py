"""Margin law by effective date: when the pattern day trader counts, and what a position must be covered with.

FINRA Rule 4210. The rules of the catalogue that use these numbers stand elsewhere in this package.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from trading_assets.domain.values import Side

MICROS = 1_000_000
LONG_MAINTENANCE_PPM = 250_000
SHORT_MAINTENANCE_PPM = 300_000
SHORT_FLOOR = 5 * MICROS
"""The least that a short share of 5 USD or more must be covered with, micro-USD."""
CHEAP_SHORT_FLOOR = 5 * MICROS // 2
"""The least that a short share below 5 USD must be covered with, micro-USD; its whole price, when that is more."""


@dataclass(frozen=True, slots=True)
class DayTradingRule:
    """In force from `effective` until the next row: an account with less than `min_equity_usd` at the end of the
    session before may day trade `max_day_trades` times in PATTERN_SESSIONS sessions; None: as often as it likes."""

    effective: date
    max_day_trades: int | None
    min_equity_usd: int
    source: str


PATTERN_SESSIONS = 5

DAY_TRADING_RULES = (
    DayTradingRule(date(2000, 1, 1), None, 0, "before the pattern day trader"),
    DayTradingRule(date(2001, 9, 28), 3, 25_000, "NASD Rule 2520, Notice to Members 01-26"),
    DayTradingRule(date(2026, 6, 4), None, 0, "intraday margin standards, SR-FINRA-2025-017, 91 FR 20731"),
)


@lru_cache(maxsize=8)
def day_trading_rule(day: date) -> DayTradingRule:
    """The row in force on `day`. Raises ValueError before the first one."""
    index = bisect_right(DAY_TRADING_RULES, day, key=lambda row: row.effective)
    if not index:
        raise ValueError(f"No day trading rule is known for {day}.")
    return DAY_TRADING_RULES[index - 1]


def maintenance_per_share(price: int, side: Side) -> int:
    """What a share bought, or sold short, at `price` must be covered with, rounded up. Both in micro-USD."""
    return long_maintenance(price) if side is Side.BUY else short_maintenance(price)


def long_maintenance(price: int) -> int:
    return -(-price * LONG_MAINTENANCE_PPM // MICROS)


def short_maintenance(price: int) -> int:
    if price >= SHORT_FLOOR:
        return max(SHORT_FLOOR, -(-price * SHORT_MAINTENANCE_PPM // MICROS))
    return max(CHEAP_SHORT_FLOOR, price)
