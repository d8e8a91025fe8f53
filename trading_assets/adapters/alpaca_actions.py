"""What Alpaca's lists of corporate actions say, kind by kind. Asking for them belongs in alpaca.py."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from pydantic import Field

from trading_assets.adapters.vendor_actions import (
    WireAction,
    WireCashMerger,
    WireDividend,
    WireRedemption,
    WireRename,
    WireSpinOff,
    WireSplit,
    WireStockDividend,
    WireStockMerger,
    WireWorthless,
    read_actions,
    rename,
    spin_off,
)
from trading_assets.adapters.vendor_gateway import Page, QuarantinedRow
from trading_assets.adapters.vendor_rows import Place, Quarantine, Row, WireDate, sift, vendor_names, with_dots
from trading_assets.domain.market.corporate_actions import CorporateAction


class AlpacaSplit(WireSplit):
    new_shares: float = Field(alias="new_rate")
    old_shares: float = Field(alias="old_rate")
    new_symbol: str | None = None

    def actions(self) -> list[CorporateAction]:
        is_renamed = self.new_symbol not in {None, "", self.symbol}
        return super().actions() + ([rename(self, str(self.new_symbol))] if is_renamed else [])


class AlpacaUnitSplit(WireSplit):
    """A unit comes apart: it goes on as its shares, and the rest, such as a warrant, is distributed."""

    symbol: str = Field(alias="old_symbol")
    ex_date: WireDate = Field(alias="effective_date")
    new_shares: float = Field(alias="new_rate")
    old_shares: float = Field(alias="old_rate")
    new_symbol: str
    alternate_symbol: str
    alternate_rate: float

    def fault(self) -> str | None:
        names = {self.symbol, self.new_symbol, self.alternate_symbol, ""}
        is_complete = len(names) == 4 and self.alternate_rate > 0
        return super().fault() if is_complete else f"{self.symbol} does not come apart into two other symbols"

    def actions(self) -> list[CorporateAction]:
        parts = [
            spin_off(self, self.alternate_symbol, self.alternate_rate, self.old_shares),
            rename(self, self.new_symbol),
        ]
        return parts if self.new_shares == self.old_shares else [*super().actions(), *parts]


class AlpacaDividend(WireDividend):
    amount_usd: float = Field(alias="rate")
    pay_date: WireDate | None = Field(default=None, alias="payable_date")
    special: bool = False

    def nature(self) -> str:
        return "special" if self.special else "regular"


class AlpacaSpinOff(WireSpinOff):
    symbol: str = Field(alias="source_symbol")
    new_shares: float = Field(alias="new_rate")
    old_shares: float = Field(alias="source_rate")


class AlpacaRights(WireSpinOff):
    symbol: str = Field(alias="source_symbol")
    new_shares: float = Field(alias="rate")


class AlpacaRename(WireRename):
    symbol: str = Field(alias="old_symbol")
    ex_date: WireDate = Field(alias="process_date")


class AlpacaCashMerger(WireCashMerger):
    symbol: str = Field(alias="acquiree_symbol")
    ex_date: WireDate = Field(alias="effective_date")
    amount_usd: float = Field(alias="rate")
    pay_date: WireDate | None = Field(default=None, alias="payable_date")


class AlpacaStockMerger(WireStockMerger):
    symbol: str = Field(alias="acquiree_symbol")
    ex_date: WireDate = Field(alias="effective_date")
    old_shares: float = Field(alias="acquiree_rate")
    new_symbol: str = Field(alias="acquirer_symbol")
    new_shares: float = Field(alias="acquirer_rate")
    pay_date: WireDate | None = Field(default=None, alias="payable_date")


class AlpacaStockAndCashMerger(AlpacaStockMerger):
    cash_usd: float = Field(alias="cash_rate")


class AlpacaRedemption(WireRedemption):
    ex_date: WireDate = Field(alias="process_date")
    amount_usd: float = Field(alias="rate")
    pay_date: WireDate | None = Field(default=None, alias="payable_date")


class AlpacaWorthless(WireWorthless):
    ex_date: WireDate = Field(alias="process_date")


ACTIONS: dict[str, type[WireAction]] = {
    "forward_splits": AlpacaSplit,
    "reverse_splits": AlpacaSplit,
    "unit_splits": AlpacaUnitSplit,
    "cash_dividends": AlpacaDividend,
    "stock_dividends": WireStockDividend,
    "spin_offs": AlpacaSpinOff,
    "rights_distributions": AlpacaRights,
    "name_changes": AlpacaRename,
    "cash_mergers": AlpacaCashMerger,
    "stock_mergers": AlpacaStockMerger,
    "stock_and_cash_mergers": AlpacaStockAndCashMerger,
    "redemptions": AlpacaRedemption,
    "worthless_removals": AlpacaWorthless,
}
"""Alpaca's kinds of corporate actions. Partial calls and reorganizations do not say what becomes of a share."""


def read_lists(
    question: Mapping[str, Any], lists: Iterable[tuple[Page, str, object]]
) -> tuple[list[CorporateAction], list[QuarantinedRow]]:
    """The actions in lists of rows, each with its page and the name of its kind, and the rows set aside."""
    quarantine = Quarantine()
    found: list[Row[WireAction]] = []
    for page, kind, rows in lists:
        if kind in ACTIONS:
            found += sift(ACTIONS[kind], rows, page.response_id, kind, quarantine)
        else:
            for position, row in enumerate(rows if isinstance(rows, list) else [rows]):
                quarantine.add(Place(page.response_id, kind, position), row, f"{kind} are not supported")
    first, last = date.fromisoformat(question["first"]), date.fromisoformat(question["last"])
    names = vendor_names(question["symbols"], with_dots)
    return read_actions(found, names, first, last, quarantine), quarantine.rows
