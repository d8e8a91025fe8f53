"""Stored bars beside another vendor's: how far apart they are, and which of them lie beyond a tolerance.

Which of two vendors is right nobody can tell from their bars alone, so nothing here changes or refuses a bar.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trading_assets.domain.market.bars import BAR_COLUMNS

if TYPE_CHECKING:
    import pandas as pd

BAR_KEY = ["symbol", "timeframe", "ts"]
PRICES = ("open", "high", "low", "close")
PRICE_DIFFERENCES = [f"{price}_diff_bps" for price in PRICES]
COMPARISON_COLUMNS = [
    "vendor",
    *BAR_KEY,
    "session_date",
    "outcome",
    "source",
    *PRICE_DIFFERENCES,
    "volume_diff_pct",
    "response_id",
]
BOTH, MISSING_AT_VENDOR, MISSING_HERE = "both", "missing_at_vendor", "missing_here"


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far apart two vendors may be.

    Closes differ by more than `price_bps`: worth a look; by `error_multiple` times as much: an error. Opens, highs and
    lows are worth a look beyond that multiple only, because vendors count other auctions and late prints into them.
    `volume_pct` None: volumes are not judged, as one exchange's beside all exchanges'.
    """

    price_bps: float
    error_multiple: float
    volume_pct: float | None = None


def compare_bars(stored: pd.DataFrame, theirs: pd.DataFrame, vendor: str) -> pd.DataFrame:
    """One row a bar that either side has, columns COMPARISON_COLUMNS, by symbol, timeframe and ts.

    Both frames have BAR_COLUMNS, raw prices and one version a bar; `theirs` may have `response_id`. Prices differ by
    10,000 (theirs / stored - 1) basis points, volumes by 100 (theirs / stored - 1) percent; None where a side is
    missing, and for a volume where the stored one is zero.
    """
    answered = theirs if "response_id" in theirs else theirs.assign(response_id=None)
    both = stored[list(BAR_COLUMNS)].merge(
        answered[[*BAR_COLUMNS, "response_id"]],
        on=BAR_KEY,
        how="outer",
        suffixes=("", "_theirs"),
        indicator="outcome",
    )
    both["vendor"] = vendor
    both["outcome"] = (
        both["outcome"].astype(object).map({"both": BOTH, "left_only": MISSING_AT_VENDOR, "right_only": MISSING_HERE})
    )
    both["session_date"] = both["session_date"].where(both["session_date"].notna(), both["session_date_theirs"])
    for price, column in zip(PRICES, PRICE_DIFFERENCES, strict=True):
        both[column] = 10_000 * (both[f"{price}_theirs"].astype(float) / both[price].astype(float) - 1)
    ours = both["volume"].astype(float)
    both["volume_diff_pct"] = 100 * (both["volume_theirs"].astype(float) / ours.where(ours > 0) - 1)
    rows = both[COMPARISON_COLUMNS].sort_values(BAR_KEY, ignore_index=True).astype(object)
    compared: pd.DataFrame = rows.where(rows.notna(), None)
    return compared


def beyond_tolerance(compared: pd.DataFrame, tolerance: Tolerance) -> pd.DataFrame:
    """The rows of `compared` that are missing on a side or lie beyond the tolerance, errors first, then by the close.

    Adds `is_error`; missing bars and volumes are never errors.
    """
    prices = compared[PRICE_DIFFERENCES].astype(float).abs().fillna(0.0)
    close = prices["close_diff_bps"]
    error_bps = tolerance.price_bps * tolerance.error_multiple
    apart = (compared["outcome"] != BOTH) | (close > tolerance.price_bps) | (prices.max(axis=1) > error_bps)
    if tolerance.volume_pct is not None:
        apart |= compared["volume_diff_pct"].astype(float).abs() > tolerance.volume_pct
    order = prices.assign(widest=prices.max(axis=1)).sort_values(["close_diff_bps", "widest"], ascending=False).index
    return compared.assign(is_error=close > error_bps)[apart].reindex(order[apart[order]]).reset_index(drop=True)
