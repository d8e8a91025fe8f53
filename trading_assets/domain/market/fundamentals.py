"""What is known about a company besides its prices: reported figures and observed facts. Fetching belongs elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum


class Statement(StrEnum):
    INCOME = "income"
    BALANCE_SHEET = "balance_sheet"
    CASH_FLOW = "cash_flow"


@dataclass(frozen=True, slots=True)
class ReportedFigure:
    """One line of a statement, for the period of `months` that ends with `period_end`.

    `item` is the vendor's name of the line; `amount` is in `currency`, or in shares where the line counts shares.
    """

    symbol: str
    statement: Statement
    item: str
    months: int
    period_end: date
    amount: float
    currency: str | None
    response_id: int | None = None


@dataclass(frozen=True, slots=True)
class ObservedFact:
    """One fact of a topic such as key_statistics, as its vendor told it: `number` where it is one, `text` always.

    `item` is the vendor's name; parts of a list are numbered from 0, as in `trend.0.buy`.
    """

    symbol: str
    topic: str
    item: str
    text: str
    number: float | None
    response_id: int | None = None
