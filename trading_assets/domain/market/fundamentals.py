"""What is known about a company besides its prices: reported figures and observed facts. Fetching belongs elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum

from trading_assets.domain.market.sessions import NEW_YORK


class Statement(StrEnum):
    INCOME = "income"
    BALANCE_SHEET = "balance_sheet"
    CASH_FLOW = "cash_flow"


@dataclass(frozen=True, slots=True)
class ReportedFigure:
    """One line of a statement, for the period of `months` that ends with `period_end`.

    `item` is the vendor's name of the line; `amount` is in `currency`, or in shares where the line counts shares.
    `filed_at` (UTC) is when everybody could read it, None where the vendor does not say.
    """

    symbol: str
    statement: Statement
    item: str
    months: int
    period_end: date
    amount: float
    currency: str | None
    response_id: int | None = None
    filed_at: datetime | None = None


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


def readable_from(filing_day: date) -> datetime:
    """The time (UTC) from which a filing of `filing_day` counts: the midnight that ends the day in New York.

    The SEC accepts and publishes filings until 22:00; a day alone does not say whether it was before the close.
    """
    return datetime.combine(filing_day + timedelta(days=1), time(), NEW_YORK).astimezone(UTC)
