"""Trials of a search: what becomes of a configuration, where nobody reads how it came about.

The compiled loop trades what it can to the last digit, the object loop everything else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

import numpy as np

from trading_assets.domain.backtest import MarketRecord, Terms, trade
from trading_assets.domain.kernel.arrays import NotRepresentableError
from trading_assets.domain.kernel.convert import billionths, ensure_representable, terms_of, wants_of
from trading_assets.domain.kernel.run import Life, Names, live
from trading_assets.domain.kernel.summary import summary_of_life
from trading_assets.domain.performance.summary import Summary, summarise
from trading_assets.domain.strategy.strategy import ConfiguredStrategy
from trading_assets.domain.tape import NothingStoredError


def outcome(
    record: MarketRecord, strategies: Sequence[ConfiguredStrategy], terms: Terms, first: date, last: date
) -> Summary:
    """The summary of a new account that lives through the sessions first..last. Raises NothingStoredError."""
    try:
        life = _lived(record, strategies, terms, first, last)
    except (NotRepresentableError, NothingStoredError):
        return summarise(trade(record, record.targets(strategies), terms, first, last))
    return summary_of_life(life, terms.opening_cash_usd)


def is_compiled(record: MarketRecord, terms: Iterable[Terms]) -> bool:
    """Whether the compiled loop can trade any of the `terms`."""
    for one in terms:
        try:
            ensure_representable(one.rules)
            record.stretch(one.rules)
        except (NotRepresentableError, NothingStoredError):
            continue
        return True
    return False


def _lived(
    record: MarketRecord, strategies: Sequence[ConfiguredStrategy], terms: Terms, first: date, last: date
) -> Life:
    ensure_representable(terms.rules)
    if not strategies:
        raise NotRepresentableError("nothing is decided")
    stretch = record.stretch(terms.rules).between(first, last)
    wanted = record.wanted(strategies)
    wanted = wanted[wanted["session_date"].between(first, last)]
    if wanted["leg_group"].notna().any():
        raise NotRepresentableError("orders of one group pass together")
    columns = wanted["strategy"].tolist(), wanted["symbol"].tolist(), wanted["decision_at"].dt.to_pydatetime()
    weights = billionths(wanted["target_weight"].to_numpy(dtype=np.float64))
    wants = wants_of(stretch, [one.name for one in strategies], *columns, weights)
    names = Names(terms.account_id, tuple(sorted((one.name, one.version) for one in strategies)))
    return live(stretch, wants, terms_of(terms.rules), terms.opening_cash_usd, names)
