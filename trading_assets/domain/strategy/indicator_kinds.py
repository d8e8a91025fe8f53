"""Every kind of technical indicator, as one table: what it means, what it reads, what it accepts and when it begins.

A kind is defined once, as a formula over TA-Lib functions. `indicators` evaluates it over a whole history and
`bar_by_bar` one bar at a time; neither knows a single indicator.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

Field = Literal["open", "high", "low", "close", "volume"]
Unit = Literal["price", "price_squared", "shares", "usd", "ratio"]

UNITS: dict[Unit, str] = {
    "price": "USD",
    "price_squared": "USD squared",
    "shares": "shares",
    "usd": "USD of turnover",
    "ratio": "ratio",
}
"""What a value is counted in, for people. `price`, `price_squared` and `shares` are in the raw units of the value's own
bar; `usd` and `ratio` do not depend on how shares are counted."""

LAG = "LAG"
"""The one function of a formula that TA-Lib does not have: the value of the bar before, NaN at the first."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A number that a kind takes: whole where `usual` is whole, else with at most four decimals."""

    name: str
    usual: int | float
    minimum: int | float
    maximum: int | float

    @property
    def is_whole(self) -> bool:
        return isinstance(self.usual, int)


@dataclass(frozen=True, slots=True)
class Kind:
    """One sort of indicator.

    `formula(ta, *inputs, *parameters)` gives its values. `inputs` are a symbol's forward-adjusted bars, arrays in time
    order, or the numbers of one bar; `ta(name, *arguments)` is TA-Lib's function of that name, or LAG. A formula calls
    the same functions in the same order whatever the data, and does nothing else but arithmetic element by element.
    `warm_up(*parameters)` is the number of leading bars of a symbol without a value.
    """

    title: str
    parameters: tuple[Parameter, ...]
    inputs: tuple[Field, ...]
    unit: Unit
    warm_up: Callable[..., int]
    formula: Callable[..., Any]
    reference: str
    ascending: tuple[str, ...] = ()
    """Names of parameters that must rise strictly in this order."""


MINIMUM_PERIOD = 2
MAXIMUM_PERIOD = 10_000


def _bars(name: str, usual: int, minimum: int = MINIMUM_PERIOD) -> Parameter:
    return Parameter(name, usual, minimum, MAXIMUM_PERIOD)


def _period(usual: int, minimum: int = MINIMUM_PERIOD) -> tuple[Parameter, ...]:
    return (_bars("period", usual, minimum),)


def _quotient(numerator: Any, denominator: Any) -> Any:
    """NaN where the denominator is zero: a width, a deviation or a turnover of nothing has no ratio."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(np.equal(denominator, 0.0), np.nan, np.divide(numerator, denominator))


_CLOSE: tuple[Field, ...] = ("close",)
_RANGE: tuple[Field, ...] = ("high", "low")
_RANGE_CLOSE: tuple[Field, ...] = ("high", "low", "close")
_RANGE_CLOSE_VOLUME: tuple[Field, ...] = ("high", "low", "close", "volume")
_SLOPES = (_bars("fast", 12), _bars("slow", 26))
_MACD = (*_SLOPES, _bars("signal", 9))
_BANDS = (_bars("period", 20), Parameter("deviations", 2.0, 0.1, 10.0))
_KELTNER = (_bars("period", 20), _bars("atr_period", 10), Parameter("multiple", 2.0, 0.1, 10.0))
_FAST_SLOW = ("fast", "slow")

_WILDER = 'Wilder, "New Concepts in Technical Trading Systems", 1978'
_APPEL = 'Appel, "Technical Analysis: Power Tools for Active Investors", 2005'
_BOLLINGER = 'Bollinger, "Bollinger on Bollinger Bands", 2001'
_MURPHY = 'Murphy, "Technical Analysis of the Financial Markets", 1999'
_KAUFMAN = 'Kaufman, "Trading Systems and Methods", 5th edition, 2013'
_MULLOY = 'Mulloy, "Smoothing Data with Faster Moving Averages", TASC 12:1, 1994'
_LANE = 'Lane, "Lane\'s Stochastics", TASC 2:3, 1984'
_CHANDE = 'Chande and Kroll, "The New Technical Trader", 1994'
_GRANVILLE = 'Granville, "New Key to Stock Market Profits", 1963'
_CHAIKIN = 'Chaikin, as in Murphy 1999 and Achelis, "Technical Analysis from A to Z", 2000'
_ACHELIS = 'Achelis, "Technical Analysis from A to Z", 2nd edition, 2000'

AVERAGES = {
    "sma": Kind(
        "Simple moving average of the close",
        _period(20),
        _CLOSE,
        "price",
        lambda period: period - 1,
        lambda ta, close, period: ta("SMA", close, period),
        _MURPHY,
    ),
    "ema": Kind(
        "Exponential moving average of the close, alpha 2/(period + 1), seeded with the first simple average",
        _period(20),
        _CLOSE,
        "price",
        lambda period: period - 1,
        lambda ta, close, period: ta("EMA", close, period),
        _MURPHY,
    ),
    "wma": Kind(
        "Moving average of the close with linear weights, the newest bar weighing most",
        _period(20),
        _CLOSE,
        "price",
        lambda period: period - 1,
        lambda ta, close, period: ta("WMA", close, period),
        _MURPHY,
    ),
    "dema": Kind(
        "Double exponential moving average of the close",
        _period(20),
        _CLOSE,
        "price",
        lambda period: 2 * (period - 1),
        lambda ta, close, period: ta("DEMA", close, period),
        _MULLOY,
    ),
    "tema": Kind(
        "Triple exponential moving average of the close",
        _period(20),
        _CLOSE,
        "price",
        lambda period: 3 * (period - 1),
        lambda ta, close, period: ta("TEMA", close, period),
        _MULLOY,
    ),
    "trima": Kind(
        "Triangular moving average of the close",
        _period(20),
        _CLOSE,
        "price",
        lambda period: period - 1,
        lambda ta, close, period: ta("TRIMA", close, period),
        _ACHELIS,
    ),
    "hma": Kind(
        "Hull moving average of the close",
        _period(16),
        _CLOSE,
        "price",
        lambda period: period - 1 + int(period**0.5) - 1,
        lambda ta, close, period: ta("HMA", close, period),
        'Hull, "Hull Moving Average", 2005',
    ),
    "kama": Kind(
        "Kaufman's adaptive moving average of the close, smoothing between 2 and 30 bars",
        _period(10),
        _CLOSE,
        "price",
        lambda period: period,
        lambda ta, close, period: ta("KAMA", close, period),
        _KAUFMAN,
    ),
    "t3": Kind(
        "Tillson's T3 moving average of the close",
        (_bars("period", 5), Parameter("volume_factor", 0.7, 0.0, 1.0)),
        _CLOSE,
        "price",
        lambda period, volume_factor: 6 * (period - 1),
        lambda ta, close, period, volume_factor: ta("T3", close, period, volume_factor),
        'Tillson, "Better Moving Averages", TASC 16:1, 1998',
    ),
    "vwma": Kind(
        "Moving average of the close weighted with volume",
        _period(20),
        ("close", "volume"),
        "price",
        lambda period: period - 1,
        lambda ta, close, volume, period: ta("VWMA", close, volume, period),
        _KAUFMAN,
    ),
    "midpoint": Kind(
        "Middle between the highest and the lowest close",
        _period(14),
        _CLOSE,
        "price",
        lambda period: period - 1,
        lambda ta, close, period: ta("MIDPOINT", close, period),
        _ACHELIS,
    ),
    "midprice": Kind(
        "Middle between the highest high and the lowest low",
        _period(14),
        _RANGE,
        "price",
        lambda period: period - 1,
        lambda ta, high, low, period: ta("MIDPRICE", high, low, period),
        _ACHELIS,
    ),
    "linearreg": Kind(
        "End of the straight line fitted to the closes by least squares",
        _period(14),
        _CLOSE,
        "price",
        lambda period: period - 1,
        lambda ta, close, period: ta("LINEARREG", close, period),
        _KAUFMAN,
    ),
}

BANDS = {
    "bollinger_upper": Kind(
        "Upper Bollinger band: simple average plus population standard deviations of the close",
        _BANDS,
        _CLOSE,
        "price",
        lambda period, deviations: period - 1,
        lambda ta, close, period, deviations: ta("BBANDS", close, period, deviations, deviations)[0],
        _BOLLINGER,
    ),
    "bollinger_middle": Kind(
        "Middle Bollinger band: the simple average of the close",
        _BANDS,
        _CLOSE,
        "price",
        lambda period, deviations: period - 1,
        lambda ta, close, period, deviations: ta("BBANDS", close, period, deviations, deviations)[1],
        _BOLLINGER,
    ),
    "bollinger_lower": Kind(
        "Lower Bollinger band: simple average minus population standard deviations of the close",
        _BANDS,
        _CLOSE,
        "price",
        lambda period, deviations: period - 1,
        lambda ta, close, period, deviations: ta("BBANDS", close, period, deviations, deviations)[2],
        _BOLLINGER,
    ),
    "bollinger_percent_b": Kind(
        "Where the close lies between the Bollinger bands, 0 at the lower and 1 at the upper; NaN without width",
        _BANDS,
        _CLOSE,
        "ratio",
        lambda period, deviations: period - 1,
        lambda ta, close, period, deviations: _percent_b(close, *ta("BBANDS", close, period, deviations, deviations)),
        _BOLLINGER,
    ),
    "bollinger_width": Kind(
        "Distance of the Bollinger bands as a share of the middle one",
        _BANDS,
        _CLOSE,
        "ratio",
        lambda period, deviations: period - 1,
        lambda ta, close, period, deviations: _band_width(*ta("BBANDS", close, period, deviations, deviations)),
        _BOLLINGER,
    ),
    "donchian_upper": Kind(
        "Highest high, this bar included",
        _period(20),
        ("high",),
        "price",
        lambda period: period - 1,
        lambda ta, high, period: ta("MAX", high, period),
        _KAUFMAN,
    ),
    "donchian_middle": Kind(
        "Middle of the Donchian channel, this bar included",
        _period(20),
        _RANGE,
        "price",
        lambda period: period - 1,
        lambda ta, high, low, period: (ta("MAX", high, period) + ta("MIN", low, period)) / 2,
        _KAUFMAN,
    ),
    "donchian_lower": Kind(
        "Lowest low, this bar included",
        _period(20),
        ("low",),
        "price",
        lambda period: period - 1,
        lambda ta, low, period: ta("MIN", low, period),
        _KAUFMAN,
    ),
    "previous_high": Kind(
        "Highest high of the bars before this one, which a breakout exceeds",
        _period(20),
        ("high",),
        "price",
        lambda period: period,
        lambda ta, high, period: ta(LAG, ta("MAX", high, period)),
        _KAUFMAN,
    ),
    "previous_low": Kind(
        "Lowest low of the bars before this one, which a breakdown undercuts",
        _period(20),
        ("low",),
        "price",
        lambda period: period,
        lambda ta, low, period: ta(LAG, ta("MIN", low, period)),
        _KAUFMAN,
    ),
    "keltner_upper": Kind(
        "Upper Keltner channel: exponential average of the close plus a multiple of the average true range",
        _KELTNER,
        _RANGE_CLOSE,
        "price",
        lambda period, atr_period, multiple: max(period - 1, atr_period),
        lambda ta, high, low, close, period, atr_period, multiple: (
            ta("EMA", close, period) + multiple * ta("ATR", high, low, close, atr_period)
        ),
        'Raschke\'s form of Keltner, "How to Make Money in Commodities", 1960',
    ),
    "keltner_lower": Kind(
        "Lower Keltner channel: exponential average of the close minus a multiple of the average true range",
        _KELTNER,
        _RANGE_CLOSE,
        "price",
        lambda period, atr_period, multiple: max(period - 1, atr_period),
        lambda ta, high, low, close, period, atr_period, multiple: (
            ta("EMA", close, period) - multiple * ta("ATR", high, low, close, atr_period)
        ),
        'Raschke\'s form of Keltner, "How to Make Money in Commodities", 1960',
    ),
}

MOMENTUM = {
    "macd": Kind(
        "Fast minus slow exponential average of the close",
        _MACD,
        _CLOSE,
        "price",
        lambda fast, slow, signal: slow - 1 + signal - 1,
        lambda ta, close, fast, slow, signal: ta("MACD", close, fast, slow, signal)[0],
        _APPEL,
        _FAST_SLOW,
    ),
    "macd_signal": Kind(
        "Exponential average of the MACD line",
        _MACD,
        _CLOSE,
        "price",
        lambda fast, slow, signal: slow - 1 + signal - 1,
        lambda ta, close, fast, slow, signal: ta("MACD", close, fast, slow, signal)[1],
        _APPEL,
        _FAST_SLOW,
    ),
    "macd_histogram": Kind(
        "MACD line minus its signal line",
        _MACD,
        _CLOSE,
        "price",
        lambda fast, slow, signal: slow - 1 + signal - 1,
        lambda ta, close, fast, slow, signal: ta("MACD", close, fast, slow, signal)[2],
        _APPEL,
        _FAST_SLOW,
    ),
    "ppo": Kind(
        "Fast minus slow exponential average of the close, in percent of the slow one",
        _SLOPES,
        _CLOSE,
        "ratio",
        lambda fast, slow: slow - 1,
        # 1 is TA-Lib's number of the exponential average.
        lambda ta, close, fast, slow: ta("PPO", close, fast, slow, 1),
        _APPEL,
        _FAST_SLOW,
    ),
    "rsi": Kind(
        "Relative strength index of the close, 0 to 100 (Wilder 1978)",
        _period(14),
        _CLOSE,
        "ratio",
        lambda period: period,
        lambda ta, close, period: ta("RSI", close, period),
        _WILDER,
    ),
    "stoch_k": Kind(
        "Slow stochastic %K, 0 to 100: where the close lies in the range, smoothed with a simple average",
        (_bars("period", 14), _bars("smoothing", 3, 1)),
        _RANGE_CLOSE,
        "ratio",
        lambda period, smoothing: period - 1 + smoothing - 1,
        lambda ta, high, low, close, period, smoothing: ta("STOCH", high, low, close, period, smoothing, 0, 1, 0)[0],
        _LANE,
    ),
    "stoch_d": Kind(
        "Slow stochastic %D, 0 to 100: simple average of %K",
        (_bars("period", 14), _bars("smoothing", 3, 1), _bars("signal", 3, 1)),
        _RANGE_CLOSE,
        "ratio",
        lambda period, smoothing, signal: period - 1 + smoothing - 1 + signal - 1,
        lambda ta, high, low, close, period, smoothing, signal: ta(
            "STOCH", high, low, close, period, smoothing, 0, signal, 0
        )[1],
        _LANE,
    ),
    "stochrsi": Kind(
        "Where the relative strength index lies in its own range, 0 to 100",
        (_bars("period", 14), _bars("window", 14)),
        _CLOSE,
        "ratio",
        lambda period, window: period + window - 1,
        lambda ta, close, period, window: ta("STOCHRSI", close, period, window, 1, 0)[0],
        _CHANDE,
    ),
    "cci": Kind(
        "Commodity channel index: distance of the typical price from its average in mean absolute deviations x 0.015",
        _period(20),
        _RANGE_CLOSE,
        "ratio",
        lambda period: period - 1,
        lambda ta, high, low, close, period: ta("CCI", high, low, close, period),
        'Lambert, "Commodity Channel Index", Commodities, October 1980',
    ),
    "cmo": Kind(
        "Chande momentum oscillator of the close, -100 to 100, with Wilder's smoothing",
        _period(14),
        _CLOSE,
        "ratio",
        lambda period: period,
        lambda ta, close, period: ta("CMO", close, period),
        _CHANDE,
    ),
    "mfi": Kind(
        "Money flow index, 0 to 100: relative strength of the turnover at the typical price",
        _period(14),
        _RANGE_CLOSE_VOLUME,
        "ratio",
        lambda period: period,
        lambda ta, high, low, close, volume, period: ta("MFI", high, low, close, volume, period),
        _ACHELIS,
    ),
    "willr": Kind(
        "Williams' %R, -100 to 0: how far the close lies below the highest high",
        _period(14),
        _RANGE_CLOSE,
        "ratio",
        lambda period: period - 1,
        lambda ta, high, low, close, period: ta("WILLR", high, low, close, period),
        'Williams, "How I Made One Million Dollars Last Year Trading Commodities", 1973',
    ),
    "roc": Kind(
        "Rate of change of the close in percent",
        _period(10, 1),
        _CLOSE,
        "ratio",
        lambda period: period,
        lambda ta, close, period: ta("ROC", close, period),
        _MURPHY,
    ),
    "mom": Kind(
        "Change of the close",
        _period(10, 1),
        _CLOSE,
        "price",
        lambda period: period,
        lambda ta, close, period: ta("MOM", close, period),
        _MURPHY,
    ),
    "trix": Kind(
        "One-bar change in percent of the close smoothed three times exponentially",
        _period(15),
        _CLOSE,
        "ratio",
        lambda period: 3 * (period - 1) + 1,
        lambda ta, close, period: ta("TRIX", close, period),
        'Hutson, "Good TRIX", TASC 1:5, 1983',
    ),
    "ultosc": Kind(
        "Ultimate oscillator, 0 to 100: buying pressure over three periods, weighed 4, 2 and 1",
        (_bars("short", 7), _bars("middle", 14), _bars("long", 28)),
        _RANGE_CLOSE,
        "ratio",
        lambda short, middle, long: long,
        lambda ta, high, low, close, short, middle, long: ta("ULTOSC", high, low, close, short, middle, long),
        'Williams, "The Ultimate Oscillator", TASC 3:4, 1985',
        ("short", "middle", "long"),
    ),
    "bop": Kind(
        "Balance of power, -1 to 1: close minus open as a share of the bar's range",
        (),
        ("open", "high", "low", "close"),
        "ratio",
        lambda: 0,
        lambda ta, open_, high, low, close: ta("BOP", open_, high, low, close),
        'Livshin, "Balance of Market Power", TASC 19:8, 2001',
    ),
}

DIRECTION = {
    "adx": Kind(
        "Average directional index, 0 to 100",
        _period(14),
        _RANGE_CLOSE,
        "ratio",
        lambda period: 2 * period - 1,
        lambda ta, high, low, close, period: ta("ADX", high, low, close, period),
        _WILDER,
    ),
    "adxr": Kind(
        "Average directional index rating: mean of the index now and period - 1 bars ago",
        _period(14),
        _RANGE_CLOSE,
        "ratio",
        lambda period: 3 * period - 2,
        lambda ta, high, low, close, period: ta("ADXR", high, low, close, period),
        _WILDER,
    ),
    "plus_di": Kind(
        "Plus directional indicator, 0 to 100",
        _period(14),
        _RANGE_CLOSE,
        "ratio",
        lambda period: period,
        lambda ta, high, low, close, period: ta("PLUS_DI", high, low, close, period),
        _WILDER,
    ),
    "minus_di": Kind(
        "Minus directional indicator, 0 to 100",
        _period(14),
        _RANGE_CLOSE,
        "ratio",
        lambda period: period,
        lambda ta, high, low, close, period: ta("MINUS_DI", high, low, close, period),
        _WILDER,
    ),
    "aroon_up": Kind(
        "Aroon up, 0 to 100: how recent the highest high of period + 1 bars is",
        _period(25),
        _RANGE,
        "ratio",
        lambda period: period,
        lambda ta, high, low, period: ta("AROON", high, low, period)[1],
        _CHANDE,
    ),
    "aroon_down": Kind(
        "Aroon down, 0 to 100: how recent the lowest low of period + 1 bars is",
        _period(25),
        _RANGE,
        "ratio",
        lambda period: period,
        lambda ta, high, low, period: ta("AROON", high, low, period)[0],
        _CHANDE,
    ),
    "aroonosc": Kind(
        "Aroon up minus Aroon down, -100 to 100",
        _period(25),
        _RANGE,
        "ratio",
        lambda period: period,
        lambda ta, high, low, period: ta("AROONOSC", high, low, period),
        _CHANDE,
    ),
    "linearreg_slope": Kind(
        "Slope per bar of the straight line fitted to the closes by least squares",
        _period(14),
        _CLOSE,
        "price",
        lambda period: period - 1,
        lambda ta, close, period: ta("LINEARREG_SLOPE", close, period),
        _KAUFMAN,
    ),
    "sar": Kind(
        "Parabolic stop and reverse",
        (Parameter("acceleration", 0.02, 0.0001, 1.0), Parameter("maximum", 0.2, 0.001, 2.0)),
        _RANGE,
        "price",
        lambda acceleration, maximum: 1,
        lambda ta, high, low, acceleration, maximum: ta("SAR", high, low, acceleration, maximum),
        _WILDER,
        ("acceleration", "maximum"),
    ),
}

VOLATILITY = {
    "atr": Kind(
        "Average true range (Wilder 1978)",
        _period(14),
        _RANGE_CLOSE,
        "price",
        lambda period: period,
        lambda ta, high, low, close, period: ta("ATR", high, low, close, period),
        _WILDER,
    ),
    "natr": Kind(
        "Average true range in percent of the close",
        _period(14),
        _RANGE_CLOSE,
        "ratio",
        lambda period: period,
        lambda ta, high, low, close, period: ta("NATR", high, low, close, period),
        'Forman, "Cross-Market Evaluations with Normalized Average True Range", TASC 24:5, 2006',
    ),
    "trange": Kind(
        "True range: the range of the bar, extended to the close before it",
        (),
        _RANGE_CLOSE,
        "price",
        lambda: 1,
        lambda ta, high, low, close: ta("TRANGE", high, low, close),
        _WILDER,
    ),
    "stddev": Kind(
        "Population standard deviation of the close",
        _period(20),
        _CLOSE,
        "price",
        lambda period: period - 1,
        lambda ta, close, period: ta("STDDEV", close, period, 1.0),
        _BOLLINGER,
    ),
    "var": Kind(
        "Population variance of the close",
        _period(20),
        _CLOSE,
        "price_squared",
        lambda period: period - 1,
        lambda ta, close, period: ta("VAR", close, period, 1.0),
        _BOLLINGER,
    ),
    "zscore": Kind(
        "Distance of the close from its simple average in population standard deviations; NaN without deviation",
        _period(20),
        _CLOSE,
        "ratio",
        lambda period: period - 1,
        lambda ta, close, period: _quotient(close - ta("SMA", close, period), ta("STDDEV", close, period, 1.0)),
        _KAUFMAN,
    ),
    "realised_volatility": Kind(
        "Root mean square of the one-bar log returns of the close, not annualised",
        _period(20),
        _CLOSE,
        "ratio",
        lambda period: period,
        lambda ta, close, period: _root_mean_square(ta, ta("LN", ta("ROCR", close, 1)), period),
        'Andersen et al., "Modeling and Forecasting Realized Volatility", Econometrica 71:2, 2003',
    ),
}

VOLUME = {
    "obv": Kind(
        "On-balance volume since the symbol's first bar",
        (),
        ("close", "volume"),
        "shares",
        lambda: 0,
        lambda ta, close, volume: ta("OBV", close, volume),
        _GRANVILLE,
    ),
    "ad": Kind(
        "Chaikin's accumulation and distribution line since the symbol's first bar",
        (),
        _RANGE_CLOSE_VOLUME,
        "shares",
        lambda: 0,
        lambda ta, high, low, close, volume: ta("AD", high, low, close, volume),
        _CHAIKIN,
    ),
    "adosc": Kind(
        "Chaikin oscillator: fast minus slow exponential average of the accumulation and distribution line",
        (_bars("fast", 3), _bars("slow", 10)),
        _RANGE_CLOSE_VOLUME,
        "shares",
        lambda fast, slow: slow - 1,
        lambda ta, high, low, close, volume, fast, slow: ta("ADOSC", high, low, close, volume, fast, slow),
        _CHAIKIN,
        _FAST_SLOW,
    ),
    "cmf": Kind(
        "Chaikin money flow, -1 to 1",
        _period(20),
        _RANGE_CLOSE_VOLUME,
        "ratio",
        lambda period: period - 1,
        lambda ta, high, low, close, volume, period: ta("CMF", high, low, close, volume, period),
        _CHAIKIN,
    ),
    "dollar_volume": Kind(
        "Simple average of close x volume",
        _period(20),
        ("close", "volume"),
        "usd",
        lambda period: period - 1,
        lambda ta, close, volume, period: ta("SMA", close * volume, period),
        'Amihud, "Illiquidity and Stock Returns", Journal of Financial Markets 5:1, 2002',
    ),
}

KINDS: dict[str, Kind] = AVERAGES | BANDS | MOMENTUM | DIRECTION | VOLATILITY | VOLUME
"""Every kind of indicator by its name."""


def _percent_b(close: Any, upper: Any, _middle: Any, lower: Any) -> Any:
    return _quotient(close - lower, upper - lower)


def _band_width(upper: Any, middle: Any, lower: Any) -> Any:
    return _quotient(upper - lower, middle)


def _root_mean_square(ta: Callable[..., Any], values: Any, period: int) -> Any:
    return ta("SQRT", ta("SMA", values * values, period))
