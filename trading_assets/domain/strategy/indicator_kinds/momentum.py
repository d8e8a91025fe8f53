"""Momentum and oscillators: how fast the price moves, and how far."""

from __future__ import annotations

from trading_assets.domain.strategy.indicator_kinds.kind import (
    ACHELIS,
    APPEL,
    CHANDE,
    CLOSE,
    FAST_SLOW,
    MURPHY,
    RANGE_CLOSE,
    RANGE_CLOSE_VOLUME,
    WILDER,
    Kind,
    bars,
    one_period,
    window_of_bars,
    window_of_changes,
)

_FAST_SLOW = (bars("fast", 12), bars("slow", 26))
_MACD = (*_FAST_SLOW, bars("signal", 9))
_LANE = 'Lane, "Lane\'s Stochastics", TASC 2:3, 1984'

# TA-Lib's numbers of its moving averages.
_SIMPLE, _EXPONENTIAL = 0, 1


def _macd_warm_up(_: int, slow: int, signal: int) -> int:
    return slow - 1 + signal - 1


MOMENTUM: dict[str, Kind] = {
    "macd": Kind(
        "Fast minus slow exponential average of the close",
        _MACD,
        CLOSE,
        "price",
        _macd_warm_up,
        lambda ta, close, fast, slow, signal: ta("MACD", close, fast, slow, signal)[0],
        APPEL,
        FAST_SLOW,
    ),
    "macd_signal": Kind(
        "Exponential average of the MACD line",
        _MACD,
        CLOSE,
        "price",
        _macd_warm_up,
        lambda ta, close, fast, slow, signal: ta("MACD", close, fast, slow, signal)[1],
        APPEL,
        FAST_SLOW,
    ),
    "macd_histogram": Kind(
        "MACD line minus its signal line",
        _MACD,
        CLOSE,
        "price",
        _macd_warm_up,
        lambda ta, close, fast, slow, signal: ta("MACD", close, fast, slow, signal)[2],
        APPEL,
        FAST_SLOW,
    ),
    "ppo": Kind(
        "Fast minus slow exponential average of the close, in percent of the slow one",
        _FAST_SLOW,
        CLOSE,
        "ratio",
        lambda _, slow: slow - 1,
        lambda ta, close, fast, slow: ta("PPO", close, fast, slow, _EXPONENTIAL),
        APPEL,
        FAST_SLOW,
    ),
    "rsi": Kind(
        "Relative strength index of the close, 0 to 100 (Wilder 1978)",
        one_period(14),
        CLOSE,
        "ratio",
        window_of_changes,
        lambda ta, close, period: ta("RSI", close, period),
        WILDER,
    ),
    "stoch_k": Kind(
        "Slow stochastic %K, 0 to 100: where the close lies in the range, smoothed with a simple average",
        (bars("period", 14), bars("smoothing", 3, 1)),
        RANGE_CLOSE,
        "ratio",
        lambda period, smoothing: period - 1 + smoothing - 1,
        lambda ta, high, low, close, period, smoothing: ta(
            "STOCH", high, low, close, period, smoothing, _SIMPLE, 1, _SIMPLE
        )[0],
        _LANE,
    ),
    "stoch_d": Kind(
        "Slow stochastic %D, 0 to 100: simple average of %K",
        (bars("period", 14), bars("smoothing", 3, 1), bars("signal", 3, 1)),
        RANGE_CLOSE,
        "ratio",
        lambda period, smoothing, signal: period - 1 + smoothing - 1 + signal - 1,
        lambda ta, high, low, close, period, smoothing, signal: ta(
            "STOCH", high, low, close, period, smoothing, _SIMPLE, signal, _SIMPLE
        )[1],
        _LANE,
    ),
    "stochrsi": Kind(
        "Where the relative strength index lies in its own range, 0 to 100",
        (bars("period", 14), bars("window", 14)),
        CLOSE,
        "ratio",
        lambda period, window: period + window - 1,
        lambda ta, close, period, window: ta("STOCHRSI", close, period, window, 1, _SIMPLE)[0],
        CHANDE,
    ),
    "cci": Kind(
        "Commodity channel index: distance of the typical price from its average in mean absolute deviations x 0.015",
        one_period(20),
        RANGE_CLOSE,
        "ratio",
        window_of_bars,
        lambda ta, high, low, close, period: ta("CCI", high, low, close, period),
        'Lambert, "Commodity Channel Index", Commodities, October 1980',
    ),
    "cmo": Kind(
        "Chande momentum oscillator of the close, -100 to 100, with Wilder's smoothing",
        one_period(14),
        CLOSE,
        "ratio",
        window_of_changes,
        lambda ta, close, period: ta("CMO", close, period),
        CHANDE,
    ),
    "mfi": Kind(
        "Money flow index, 0 to 100: relative strength of the turnover at the typical price",
        one_period(14),
        RANGE_CLOSE_VOLUME,
        "ratio",
        window_of_changes,
        lambda ta, high, low, close, volume, period: ta("MFI", high, low, close, volume, period),
        ACHELIS,
    ),
    "willr": Kind(
        "Williams' %R, -100 to 0: how far the close lies below the highest high",
        one_period(14),
        RANGE_CLOSE,
        "ratio",
        window_of_bars,
        lambda ta, high, low, close, period: ta("WILLR", high, low, close, period),
        'Williams, "How I Made One Million Dollars Last Year Trading Commodities", 1973',
    ),
    "roc": Kind(
        "Rate of change of the close in percent",
        one_period(10, 1),
        CLOSE,
        "ratio",
        window_of_changes,
        lambda ta, close, period: ta("ROC", close, period),
        MURPHY,
    ),
    "mom": Kind(
        "Change of the close",
        one_period(10, 1),
        CLOSE,
        "price",
        window_of_changes,
        lambda ta, close, period: ta("MOM", close, period),
        MURPHY,
    ),
    "trix": Kind(
        "One-bar change in percent of the close smoothed three times exponentially",
        one_period(15),
        CLOSE,
        "ratio",
        lambda period: 3 * (period - 1) + 1,
        lambda ta, close, period: ta("TRIX", close, period),
        'Hutson, "Good TRIX", TASC 1:5, 1983',
    ),
    "ultosc": Kind(
        "Ultimate oscillator, 0 to 100: buying pressure over three periods, weighed 4, 2 and 1",
        (bars("short", 7), bars("middle", 14), bars("long", 28)),
        RANGE_CLOSE,
        "ratio",
        lambda *periods: max(periods),
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
