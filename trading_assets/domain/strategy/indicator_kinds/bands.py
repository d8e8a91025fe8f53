"""Bands and channels around the price, and where it lies in them."""

from __future__ import annotations

from typing import Any

from trading_assets.domain.strategy.indicator_kinds.kind import (
    BOLLINGER,
    CLOSE,
    KAUFMAN,
    LAG,
    RANGE,
    RANGE_CLOSE,
    Kind,
    Parameter,
    bars,
    one_period,
    quotient,
    window_of_bars,
    window_of_changes,
)

_BANDS = (bars("period", 20), Parameter("deviations", 2.0, 0.1, 10.0))
_KELTNER = (bars("period", 20), bars("atr_period", 10), Parameter("multiple", 2.0, 0.1, 10.0))
_RASCHKE = 'Raschke\'s form of Keltner, "How to Make Money in Commodities", 1960'


def _percent_b(close: Any, upper: Any, _: Any, lower: Any) -> Any:
    return quotient(close - lower, upper - lower)


def _width(upper: Any, middle: Any, lower: Any) -> Any:
    return quotient(upper - lower, middle)


def _keltner_warm_up(period: int, atr_period: int, _: float) -> int:
    return max(window_of_bars(period), window_of_changes(atr_period))


BANDS: dict[str, Kind] = {
    "bollinger_upper": Kind(
        "Upper Bollinger band: simple average plus population standard deviations of the close",
        _BANDS,
        CLOSE,
        "price",
        window_of_bars,
        lambda ta, close, period, deviations: ta("BBANDS", close, period, deviations, deviations)[0],
        BOLLINGER,
    ),
    "bollinger_middle": Kind(
        "Middle Bollinger band: the simple average of the close",
        _BANDS,
        CLOSE,
        "price",
        window_of_bars,
        lambda ta, close, period, deviations: ta("BBANDS", close, period, deviations, deviations)[1],
        BOLLINGER,
    ),
    "bollinger_lower": Kind(
        "Lower Bollinger band: simple average minus population standard deviations of the close",
        _BANDS,
        CLOSE,
        "price",
        window_of_bars,
        lambda ta, close, period, deviations: ta("BBANDS", close, period, deviations, deviations)[2],
        BOLLINGER,
    ),
    "bollinger_percent_b": Kind(
        "Where the close lies between the Bollinger bands, 0 at the lower and 1 at the upper; NaN without width",
        _BANDS,
        CLOSE,
        "ratio",
        window_of_bars,
        lambda ta, close, period, deviations: _percent_b(close, *ta("BBANDS", close, period, deviations, deviations)),
        BOLLINGER,
    ),
    "bollinger_width": Kind(
        "Distance of the Bollinger bands as a share of the middle one",
        _BANDS,
        CLOSE,
        "ratio",
        window_of_bars,
        lambda ta, close, period, deviations: _width(*ta("BBANDS", close, period, deviations, deviations)),
        BOLLINGER,
    ),
    "donchian_upper": Kind(
        "Highest high, this bar included",
        one_period(20),
        ("high",),
        "price",
        window_of_bars,
        lambda ta, high, period: ta("MAX", high, period),
        KAUFMAN,
    ),
    "donchian_middle": Kind(
        "Middle of the Donchian channel, this bar included",
        one_period(20),
        RANGE,
        "price",
        window_of_bars,
        lambda ta, high, low, period: (ta("MAX", high, period) + ta("MIN", low, period)) / 2,
        KAUFMAN,
    ),
    "donchian_lower": Kind(
        "Lowest low, this bar included",
        one_period(20),
        ("low",),
        "price",
        window_of_bars,
        lambda ta, low, period: ta("MIN", low, period),
        KAUFMAN,
    ),
    "previous_high": Kind(
        "Highest high of the bars before this one, which a breakout exceeds",
        one_period(20),
        ("high",),
        "price",
        window_of_changes,
        lambda ta, high, period: ta(LAG, ta("MAX", high, period)),
        KAUFMAN,
    ),
    "previous_low": Kind(
        "Lowest low of the bars before this one, which a breakdown undercuts",
        one_period(20),
        ("low",),
        "price",
        window_of_changes,
        lambda ta, low, period: ta(LAG, ta("MIN", low, period)),
        KAUFMAN,
    ),
    "keltner_upper": Kind(
        "Upper Keltner channel: exponential average of the close plus a multiple of the average true range",
        _KELTNER,
        RANGE_CLOSE,
        "price",
        _keltner_warm_up,
        lambda ta, high, low, close, period, atr_period, multiple: (
            ta("EMA", close, period) + multiple * ta("ATR", high, low, close, atr_period)
        ),
        _RASCHKE,
    ),
    "keltner_lower": Kind(
        "Lower Keltner channel: exponential average of the close minus a multiple of the average true range",
        _KELTNER,
        RANGE_CLOSE,
        "price",
        _keltner_warm_up,
        lambda ta, high, low, close, period, atr_period, multiple: (
            ta("EMA", close, period) - multiple * ta("ATR", high, low, close, atr_period)
        ),
        _RASCHKE,
    ),
}
