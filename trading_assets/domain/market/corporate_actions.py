"""Splits and dividends: what they are and the price factors that follow from them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum


class ActionKind(StrEnum):
    SPLIT = "split"
    CASH_DIVIDEND = "cash_dividend"


@dataclass(frozen=True, slots=True)
class CorporateAction:
    """Takes effect at the open of `ex_date`. `split_ratio` is new shares for one old share, `amount_usd` is per old share."""

    symbol: str
    ex_date: date
    kind: ActionKind
    split_ratio: Decimal | None = None
    amount_usd: Decimal | None = None
    pay_date: date | None = None
