"""Which parser reads which stored answers: the very functions that read them when they came in.

A vendor's dataset that is missing here is not read into a table. Reading again as a whole is in reparse.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from trading_assets.adapters.vendor_gateway import Fetch, QuarantinedRow

if TYPE_CHECKING:
    import pandas as pd

Reading = tuple[Any, list[QuarantinedRow]]
"""A frame of bars, or a list of records, and the rows set aside."""
Reader = Callable[[Fetch], Reading]

BARS = {"bars/1d": ("bars/1d",), "bars/1h": ("bars/1h", "half_day_ends/1h")}
"""The bars of a timeframe, and the datasets that they are read from."""
RECORDS = ("instruments", "corporate_actions", "calendar", "financials", "fundamentals")
DATASETS = (*RECORDS, *BARS)
VENDORS = ("alpaca", "polygon", "yahoo")


def reader_of(vendor: str, dataset: str) -> Reader | None:
    """The parser of a vendor's dataset, or None."""
    readers = {"alpaca": _alpaca, "polygon": _polygon, "yahoo": _yahoo}
    return readers[vendor]().get(dataset.partition("/")[0]) if vendor in readers else None


def _alpaca() -> dict[str, Reader]:
    from trading_assets.adapters.alpaca import actions_in, bars_in, instruments_in
    from trading_assets.adapters.alpaca_calendar import calendar_in

    return {
        "bars": bars_in,
        "corporate_actions": actions_in,
        "instruments": _all_good(instruments_in),
        "calendar": _all_good(calendar_in),
    }


def _polygon() -> dict[str, Reader]:
    from trading_assets.adapters.polygon_fundamentals import facts_in, figures_in
    from trading_assets.adapters.polygon_wire import actions_in, bars_in, instruments_in

    return {
        "bars": bars_in,
        "corporate_actions": actions_in,
        "instruments": _all_good(instruments_in),
        "financials": figures_in,
        "fundamentals": _all_good(facts_in),
    }


def _yahoo() -> dict[str, Reader]:
    from trading_assets.adapters.yahoo_fundamentals import facts_in, figures_in
    from trading_assets.adapters.yahoo_half_days import half_day_ends_in
    from trading_assets.adapters.yahoo_wire import actions_in, bars_in, instrument_in

    return {
        "bars": bars_in,
        "half_day_ends": half_day_ends_in,
        "corporate_actions": actions_in,
        "instruments": _all_good(lambda fetch: [instrument_in(fetch)]),
        "financials": figures_in,
        "fundamentals": _all_good(facts_in),
    }


def _all_good(read: Callable[[Fetch], Sequence[Any] | pd.DataFrame]) -> Reader:
    """A parser that refuses an answer as a whole has nothing to set aside."""
    return lambda fetch: (read(fetch), [])
