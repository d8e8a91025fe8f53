"""Volatility: how widely the price moves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from trading_assets.domain.strategy.indicator_kinds.kind import (
    BOLLINGER,
    CLOSE,
    KAUFMAN,
    RANGE_CLOSE,
    WILDER,
    Kind,
    one_period,
    quotient,
    window_of_bars,
    window_of_changes,
)


def _root_mean_square(ta: Callable[..., Any], values: Any, period: int) -> Any:
    # A running sum that has forgotten a large return may end a hair below zero.
    return np.sqrt(np.maximum(ta("SMA", values * values, period), 0.0))


VOLATILITY: dict[str, Kind] = {
    "atr": Kind(
        "Average true range (Wilder 1978)",
        one_period(14),
        RANGE_CLOSE,
        "price",
        window_of_changes,
        lambda ta, high, low, close, period: ta("ATR", high, low, close, period),
        WILDER,
    ),
    "natr": Kind(
        "Average true range in percent of the close",
        one_period(14),
        RANGE_CLOSE,
        "ratio",
        window_of_changes,
        lambda ta, high, low, close, period: ta("NATR", high, low, close, period),
        'Forman, "Cross-Market Evaluations with Normalized Average True Range", TASC, May 2006',
    ),
    "trange": Kind(
        "True range: the range of the bar, extended to the close before it",
        (),
        RANGE_CLOSE,
        "price",
        lambda: 1,
        lambda ta, high, low, close: ta("TRANGE", high, low, close),
        WILDER,
    ),
    "stddev": Kind(
        "Population standard deviation of the close",
        one_period(20),
        CLOSE,
        "price",
        window_of_bars,
        lambda ta, close, period: ta("STDDEV", close, period, 1.0),
        BOLLINGER,
    ),
    "var": Kind(
        "Population variance of the close",
        one_period(20),
        CLOSE,
        "price_squared",
        window_of_bars,
        lambda ta, close, period: ta("VAR", close, period, 1.0),
        BOLLINGER,
    ),
    "zscore": Kind(
        "Distance of the close from its simple average in population standard deviations; NaN without deviation",
        one_period(20),
        CLOSE,
        "ratio",
        window_of_bars,
        lambda ta, close, period: quotient(close - ta("SMA", close, period), ta("STDDEV", close, period, 1.0)),
        KAUFMAN,
    ),
    "realised_volatility": Kind(
        "Root mean square of the one-bar log returns of the close, not annualised",
        one_period(20),
        CLOSE,
        "ratio",
        window_of_changes,
        lambda ta, close, period: _root_mean_square(ta, ta("LN", ta("ROCR", close, 1)), period),
        'Andersen et al., "Modeling and Forecasting Realized Volatility", Econometrica 71:2, 2003',
    ),
}
