"""The grid that prices of orders stand on, by effective date: Regulation NMS Rule 612 and what was before it.

Which order is refused for being off the grid is decided in domain/risk.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache


@dataclass(frozen=True, slots=True)
class TickSize:
    """In force from `effective` until the next row: USD a share for prices from 1.00 on, and for those below."""

    effective: date
    from_one_usd: Decimal
    below_one_usd: Decimal
    source: str


# An amendment of Rule 612 lets some stocks trade in half cents (17 CFR 242.612(b)(2)(ii)), which ones is measured twice
# a year. A price on the grid of cents is on theirs too, so that nothing has to be known about it here.
TICK_SIZES = (
    TickSize(date(2000, 1, 1), Decimal("0.0625"), Decimal("0.0625"), "sixteenths; exchange rules since 1997"),
    TickSize(date(2001, 4, 9), Decimal("0.01"), Decimal("0.01"), "decimals in all listed stocks; SEC Release 34-42914"),
    TickSize(date(2006, 1, 31), Decimal("0.01"), Decimal("0.0001"), "Rule 612; compliance date by 70 FR 45529"),
)


@lru_cache(maxsize=8)
def tick_size(day: date) -> TickSize:
    """The row in force on `day`. Raises ValueError before the first one."""
    index = bisect_right(TICK_SIZES, day, key=lambda row: row.effective)
    if not index:
        raise ValueError(f"No tick size is known for {day}: the table begins with {TICK_SIZES[0].effective}.")
    return TICK_SIZES[index - 1]
