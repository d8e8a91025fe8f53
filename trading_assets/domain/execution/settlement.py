"""When a trade settles, by effective date of SEC Rule 15c6-1: the sale of a cash account is money only from then on."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import date

from trading_assets.domain.market.sessions import next_session


@dataclass(frozen=True, slots=True)
class SettlementCycle:
    """Trades from `effective` on settle `sessions` sessions later, until the next row."""

    effective: date
    sessions: int
    source: str


SETTLEMENT_CYCLES = (
    SettlementCycle(date(1995, 6, 7), 3, "SEC Release 34-33023, effective date by 34-34952"),
    SettlementCycle(date(2017, 9, 5), 2, "SEC Release 34-80295, 82 FR 15564"),
    SettlementCycle(date(2024, 5, 28), 1, "SEC Release 34-96930, 88 FR 13872"),
)
LONGEST_CYCLE = max(cycle.sessions for cycle in SETTLEMENT_CYCLES)


def settlement_cycle(trade_date: date) -> SettlementCycle:
    """The cycle of trades of `trade_date`. Raises ValueError before the first row."""
    index = bisect_right(SETTLEMENT_CYCLES, trade_date, key=lambda row: row.effective)
    if not index:
        raise ValueError(f"No settlement cycle is known for {trade_date}.")
    return SETTLEMENT_CYCLES[index - 1]


def settles_on(trade_date: date) -> date:
    """The session in which a trade of `trade_date` settles."""
    day = trade_date
    for _ in range(settlement_cycle(trade_date).sessions):
        day = next_session(day)
    return day
