"""Corporate actions: what they are, and how to recover splits and dividends from a vendor's adjusted closes.

The price factors that follow from them belong in adjust.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

CENT = Decimal("0.01")
USUAL_RATIOS = tuple(
    Decimal(new) / Decimal(old)
    for new, old in [
        (5, 4),
        (4, 3),
        (3, 2),
        (5, 3),
        *((whole, 1) for whole in (2, 3, 4, 5, 6, 7, 8, 10, 15, 20, 25, 30, 50)),
    ]
)
"""Forward splits that companies do; their inverses are the usual reverse splits."""
SNAP_TOLERANCE = Decimal("0.02")


class ActionKind(StrEnum):
    """A reverse split is a split with a ratio below 1; rights are distributed like the shares of a spin-off."""

    SPLIT = "split"
    CASH_DIVIDEND = "cash_dividend"
    STOCK_DIVIDEND = "stock_dividend"
    SPIN_OFF = "spin_off"
    RENAME = "rename"
    DELISTING = "delisting"


class DelistingReason(StrEnum):
    MERGER = "merger"
    REDEMPTION = "redemption"
    WORTHLESS = "worthless"


@dataclass(frozen=True, slots=True)
class CorporateAction:
    """Takes effect at the open of `ex_date`. Which fields it fills depends on its kind:

    - split: `split_ratio`, new for one old share.
    - cash_dividend: `amount_usd` per old share, paid on `pay_date`.
    - stock_dividend: `share_ratio`, additional shares for one old share.
    - spin_off: `share_ratio` shares of `new_symbol` for one old share, worth `value_usd` where the source says so.
    - rename: `new_symbol` is the symbol from the ex-date on.
    - delisting: `reason`; an old share becomes `amount_usd` (nothing: no cash) and, in a merger for shares,
      `share_ratio` shares of `new_symbol`.

    `response_id` is the stored vendor response that told us, None for bundled data; it makes no other action of it.
    """

    symbol: str
    ex_date: date
    kind: ActionKind
    split_ratio: Decimal | None = None
    amount_usd: Decimal | None = None
    pay_date: date | None = None
    response_id: int | None = field(default=None, compare=False)
    new_symbol: str | None = None
    share_ratio: Decimal | None = None
    value_usd: Decimal | None = None
    reason: DelistingReason | None = None

    @property
    def own_shares(self) -> Decimal:
        """Shares of `symbol` after the action for one before: 1 unless it is a split or a stock dividend.

        Raises ValueError when the ratio is missing.
        """
        if self.kind not in {ActionKind.SPLIT, ActionKind.STOCK_DIVIDEND}:
            return Decimal(1)
        ratio = self.split_ratio if self.kind is ActionKind.SPLIT else self.share_ratio
        if ratio is None:
            raise ValueError(f"{self.kind} of {self.symbol} on {self.ex_date} has no ratio")
        return ratio if self.kind is ActionKind.SPLIT else 1 + ratio


def derive_actions(closes: pd.DataFrame) -> list[CorporateAction]:
    """The actions that explain how `adj_close` departs from `close`, by symbol and ex-date.

    `closes` has the columns symbol, session_date, close (raw USD) and adj_close (adjusted for splits and dividends, at
    any later date). Between two sessions the ratio adj_close / close changes by the price factor of the second one's
    actions. A factor near a usual split ratio is a split, the rest is a dividend, rounded to the cent; so a dividend of
    a fifth of the price or more is taken for a split, and a spin-off for a dividend. Pay dates cannot be recovered.
    Raises ValueError for a factor that neither explains.
    """
    actions: list[CorporateAction] = []
    for symbol, history in closes.sort_values(["symbol", "session_date"]).groupby("symbol"):
        ratio = (history["adj_close"] / history["close"]).to_numpy()
        close = history["close"].to_numpy()
        days = history["session_date"].to_list()
        factors = ratio[:-1] / ratio[1:]
        # Half a cent of dividend is the smallest that rounds to one; what is smaller is rounding in adj_close.
        for position in (abs(factors - 1) * close[:-1] >= float(CENT) / 2).nonzero()[0]:
            factor, previous_close = Decimal(repr(float(factors[position]))), Decimal(repr(float(close[position])))
            actions += _explain(str(symbol), days[position + 1], factor, previous_close)
    return actions


def _explain(symbol: str, ex_date: date, factor: Decimal, previous_close: Decimal) -> list[CorporateAction]:
    actions = []
    split_ratio = next(
        (ratio for ratio in _ratios_by_distance(factor) if abs(factor * ratio - 1) <= SNAP_TOLERANCE), None
    )
    if split_ratio is not None:
        actions.append(CorporateAction(symbol, ex_date, ActionKind.SPLIT, split_ratio=split_ratio))
    amount = ((1 - factor * (split_ratio or 1)) * previous_close).quantize(CENT)
    if amount < 0:
        raise ValueError(
            f"{symbol} {ex_date}: the adjusted close rises against the raw close by the factor {factor:.6f}, "
            "which no usual split and no dividend explains."
        )
    if amount > 0:
        actions.append(CorporateAction(symbol, ex_date, ActionKind.CASH_DIVIDEND, amount_usd=amount))
    return actions


def _ratios_by_distance(factor: Decimal) -> list[Decimal]:
    ratios = [*USUAL_RATIOS, *(1 / ratio for ratio in USUAL_RATIOS)]
    return sorted(ratios, key=lambda ratio: abs(factor * ratio - 1))
