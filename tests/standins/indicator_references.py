"""Every kind of indicator written a second time, from its definition, in plain numpy: slow, and easy to read.

Each function takes a frame of one symbol's adjusted bars and the parameters; nothing here knows TA-Lib.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

Floats = np.ndarray
NAN = float("nan")


def windows(values: Floats, period: int, of: Callable[[Floats], float]) -> Floats:
    """`of` the last `period` values at every bar, NaN where one of them is missing."""
    out = np.full(len(values), NAN)
    for end in range(period, len(values) + 1):
        window = values[end - period : end]
        if not np.isnan(window).any():
            out[end - 1] = of(window)
    return out


def recursive(values: Floats, period: int, alpha: float) -> Floats:
    """The exponential average with weight `alpha`, seeded with the simple average of the first `period` values."""
    out = np.full(len(values), NAN)
    start = int(np.argmin(np.isnan(values))) + period - 1
    out[start] = values[start - period + 1 : start + 1].mean()
    for bar in range(start + 1, len(values)):
        out[bar] = alpha * values[bar] + (1 - alpha) * out[bar - 1]
    return out


def lag(values: Floats, bars: int = 1) -> Floats:
    return np.concatenate((np.full(bars, NAN), values[:-bars]))


def mean(values: Floats, period: int) -> Floats:
    return windows(values, period, np.mean)


def ema(values: Floats, period: int) -> Floats:
    return recursive(values, period, 2 / (period + 1))


def wilder(values: Floats, period: int) -> Floats:
    return recursive(values, period, 1 / period)


def wma(values: Floats, period: int) -> Floats:
    weights = np.arange(1, period + 1)
    return windows(values, period, lambda window: float(window @ weights / weights.sum()))


def deviation(values: Floats, period: int) -> Floats:
    return windows(values, period, np.std)


def dema(values: Floats, period: int) -> Floats:
    once = ema(values, period)
    return 2 * once - ema(once, period)


def tema(values: Floats, period: int) -> Floats:
    once = ema(values, period)
    twice = ema(once, period)
    return 3 * once - 3 * twice + ema(twice, period)


def trima(values: Floats, period: int) -> Floats:
    rising = np.minimum(np.arange(1, period + 1), np.arange(period, 0, -1))
    return windows(values, period, lambda window: float(window @ rising / rising.sum()))


def hma(values: Floats, period: int) -> Floats:
    return wma(2 * wma(values, period // 2) - wma(values, period), int(period**0.5))


def kama(values: Floats, period: int) -> Floats:
    out = np.full(len(values), NAN)
    before = values[period - 1]
    for bar in range(period, len(values)):
        path = np.abs(np.diff(values[bar - period : bar + 1])).sum()
        efficiency = abs(values[bar] - values[bar - period]) / path
        smoothing = (efficiency * (2 / 3 - 2 / 31) + 2 / 31) ** 2
        out[bar] = before = before + smoothing * (values[bar] - before)
    return out


def t3(values: Floats, period: int, factor: float) -> Floats:
    averages = [values]
    for _ in range(6):
        averages.append(ema(averages[-1], period))
    b, c = factor, factor**2
    weights = (-b * c, 3 * c + 3 * b * c, -6 * c - 3 * b - 3 * b * c, 1 + 3 * b + b * c + 3 * c)
    return sum(weight * average for weight, average in zip(weights, averages[:2:-1], strict=True))


def fitted(values: Floats, period: int, pick: Callable[[Floats], float]) -> Floats:
    return windows(values, period, lambda window: pick(np.polyfit(np.arange(period), window, 1)))


def macd(values: Floats, fast: int, slow: int, signal: int) -> tuple[Floats, Floats]:
    # The fast average is seeded with the same last bars as the slow one, so that both begin together.
    late = np.where(np.arange(len(values)) < slow - fast, NAN, values)
    line = ema(late, fast) - ema(values, slow)
    signals = ema(line, signal)
    return np.where(np.isnan(signals), NAN, line), signals


def relative(values: Floats, period: int) -> tuple[Floats, Floats]:
    change = values - lag(values)
    return wilder(np.maximum(change, 0), period), wilder(np.maximum(-change, 0), period)


def rsi(values: Floats, period: int) -> Floats:
    up, down = relative(values, period)
    return 100 * up / (up + down)


def place(values: Floats, low: Floats, high: Floats, period: int) -> Floats:
    lowest, highest = windows(low, period, np.min), windows(high, period, np.max)
    return 100 * (values - lowest) / (highest - lowest)


def typical(bars: pd.DataFrame) -> Floats:
    return ((bars.high + bars.low + bars.close) / 3).to_numpy()


def cci(bars: pd.DataFrame, period: int) -> Floats:
    return windows(typical(bars), period, lambda w: float((w[-1] - w.mean()) / (0.015 * np.abs(w - w.mean()).mean())))


def mfi(bars: pd.DataFrame, period: int) -> Floats:
    price = typical(bars)
    change, flow = price - lag(price), price * bars.volume.to_numpy()
    up = windows(np.where(np.isnan(change), NAN, np.where(change > 0, flow, 0)), period, np.sum)
    down = windows(np.where(np.isnan(change), NAN, np.where(change < 0, flow, 0)), period, np.sum)
    return 100 * up / (up + down)


def trix(values: Floats, period: int) -> Floats:
    smooth = ema(ema(ema(values, period), period), period)
    return 100 * (smooth / lag(smooth) - 1)


def true_range(bars: pd.DataFrame) -> Floats:
    high, low, before = bars.high.to_numpy(), bars.low.to_numpy(), lag(bars.close.to_numpy())
    return np.maximum(high, before) - np.minimum(low, before)


def ultosc(bars: pd.DataFrame, *periods: int) -> Floats:
    pressure = bars.close.to_numpy() - np.minimum(bars.low.to_numpy(), lag(bars.close.to_numpy()))
    ranges = true_range(bars)
    parts = [windows(pressure, period, np.sum) / windows(ranges, period, np.sum) for period in periods]
    return 100 * (4 * parts[0] + 2 * parts[1] + parts[2]) / 7


def wilder_sum(values: Floats, period: int) -> Floats:
    """Wilder's running sum: begins with period - 1 values, then loses its period-th part at every bar."""
    out = np.full(len(values), NAN)
    total = values[1:period].sum()
    for bar in range(period, len(values)):
        out[bar] = total = total - total / period + values[bar]
    return out


def directional(bars: pd.DataFrame, period: int) -> tuple[Floats, Floats]:
    up, down = bars.high.diff().to_numpy(), -bars.low.diff().to_numpy()
    plus = np.where((up > down) & (up > 0), up, 0.0)
    minus = np.where((down > up) & (down > 0), down, 0.0)
    ranges = wilder_sum(true_range(bars), period)
    return 100 * wilder_sum(plus, period) / ranges, 100 * wilder_sum(minus, period) / ranges


def adx(bars: pd.DataFrame, period: int) -> Floats:
    plus, minus = directional(bars, period)
    return wilder(100 * np.abs(plus - minus) / (plus + minus), period)


def adxr(bars: pd.DataFrame, period: int) -> Floats:
    index = adx(bars, period)
    return (index + lag(index, period - 1)) / 2


def aroon(values: Floats, period: int, newest: Callable[[Floats], int]) -> Floats:
    return windows(values, period + 1, lambda window: 100 * (period - newest(window[::-1])) / period)


def sar(bars: pd.DataFrame, acceleration: float, maximum: float) -> Floats:
    high, low = bars.high.to_numpy(), bars.low.to_numpy()
    out = np.full(len(bars), NAN)
    # Short at first if the second bar falls further than it rises.
    is_long = not low[0] - low[1] > max(high[1] - high[0], 0)
    extreme, stop = (high[1], low[0]) if is_long else (low[1], high[0])
    step = acceleration
    for bar in range(1, len(bars)):
        two = slice(max(bar - 1, 1), bar + 1)
        if low[bar] <= stop if is_long else high[bar] >= stop:
            stop = max(extreme, high[two].max()) if is_long else min(extreme, low[two].min())
            is_long = not is_long
            step, extreme = acceleration, high[bar] if is_long else low[bar]
        elif high[bar] > extreme if is_long else low[bar] < extreme:
            extreme = high[bar] if is_long else low[bar]
            step = min(step + acceleration, maximum)
        out[bar] = stop
        ahead = stop + step * (extreme - stop)
        stop = min(ahead, low[two].min()) if is_long else max(ahead, high[two].max())
    return out


def money_flow(bars: pd.DataFrame) -> Floats:
    width = (bars.high - bars.low).to_numpy()
    return ((2 * bars.close - bars.high - bars.low) / width * bars.volume).to_numpy()


def adosc(bars: pd.DataFrame, fast: int, slow: int) -> Floats:
    line = money_flow(bars).cumsum()
    averages = []
    for period in (fast, slow):
        average = [line[0]]
        for value in line[1:]:
            average.append(average[-1] + 2 / (period + 1) * (value - average[-1]))
        averages.append(np.array(average))
    return np.where(np.arange(len(line)) < slow - 1, NAN, averages[0] - averages[1])


def obv(bars: pd.DataFrame) -> Floats:
    signs = np.sign(bars.close.diff().to_numpy())
    signs[0] = 1
    return (signs * bars.volume.to_numpy()).cumsum()


def bands(bars: pd.DataFrame, period: int, deviations: float) -> tuple[Floats, Floats, Floats]:
    middle, width = mean(closes(bars), period), deviations * deviation(closes(bars), period)
    return middle + width, middle, middle - width


def closes(bars: pd.DataFrame) -> Floats:
    return bars.close.to_numpy()


def highest(bars: pd.DataFrame, period: int) -> Floats:
    return windows(bars.high.to_numpy(), period, np.max)


def lowest(bars: pd.DataFrame, period: int) -> Floats:
    return windows(bars.low.to_numpy(), period, np.min)


def percent_b(bars: pd.DataFrame, *parameters: float) -> Floats:
    upper, _, lower = bands(bars, *parameters)
    return (closes(bars) - lower) / (upper - lower)


def band_width(bars: pd.DataFrame, *parameters: float) -> Floats:
    upper, middle, lower = bands(bars, *parameters)
    return (upper - lower) / middle


def atr(bars: pd.DataFrame, period: int) -> Floats:
    return wilder(true_range(bars), period)


def stoch_k(bars: pd.DataFrame, period: int, smoothing: int) -> Floats:
    return mean(place(closes(bars), bars.low.to_numpy(), bars.high.to_numpy(), period), smoothing)


def stochrsi(bars: pd.DataFrame, period: int, window: int) -> Floats:
    strength = rsi(closes(bars), period)
    return place(strength, strength, strength, window)


def cmo(bars: pd.DataFrame, period: int) -> Floats:
    up, down = relative(closes(bars), period)
    return 100 * (up - down) / (up + down)


def returns(bars: pd.DataFrame) -> Floats:
    return np.log(closes(bars)) - np.log(lag(closes(bars)))


def volume_mean(bars: pd.DataFrame, period: int) -> Floats:
    weighted = mean(closes(bars) * bars.volume.to_numpy(), period)
    return weighted / mean(bars.volume.to_numpy(), period)


REFERENCES: dict[str, Callable[..., Floats]] = {
    "sma": lambda bars, period: mean(closes(bars), period),
    "ema": lambda bars, period: ema(closes(bars), period),
    "wma": lambda bars, period: wma(closes(bars), period),
    "dema": lambda bars, period: dema(closes(bars), period),
    "tema": lambda bars, period: tema(closes(bars), period),
    "trima": lambda bars, period: trima(closes(bars), period),
    "hma": lambda bars, period: hma(closes(bars), period),
    "kama": lambda bars, period: kama(closes(bars), period),
    "t3": lambda bars, period, factor: t3(closes(bars), period, factor),
    "vwma": volume_mean,
    "midpoint": lambda bars, period: windows(closes(bars), period, lambda window: (window.max() + window.min()) / 2),
    "midprice": lambda bars, period: (highest(bars, period) + lowest(bars, period)) / 2,
    "linearreg": lambda bars, period: fitted(closes(bars), period, lambda line: line[1] + line[0] * (period - 1)),
    "bollinger_upper": lambda bars, *parameters: bands(bars, *parameters)[0],
    "bollinger_middle": lambda bars, *parameters: bands(bars, *parameters)[1],
    "bollinger_lower": lambda bars, *parameters: bands(bars, *parameters)[2],
    "bollinger_percent_b": percent_b,
    "bollinger_width": band_width,
    "donchian_upper": highest,
    "donchian_middle": lambda bars, period: (highest(bars, period) + lowest(bars, period)) / 2,
    "donchian_lower": lowest,
    "previous_high": lambda bars, period: lag(highest(bars, period)),
    "previous_low": lambda bars, period: lag(lowest(bars, period)),
    "keltner_upper": lambda bars, period, span, by: ema(closes(bars), period) + by * atr(bars, span),
    "keltner_lower": lambda bars, period, span, by: ema(closes(bars), period) - by * atr(bars, span),
    "macd": lambda bars, *parameters: macd(closes(bars), *parameters)[0],
    "macd_signal": lambda bars, *parameters: macd(closes(bars), *parameters)[1],
    "macd_histogram": lambda bars, *parameters: np.subtract(*macd(closes(bars), *parameters)),
    "ppo": lambda bars, fast, slow: 100 * (ema(closes(bars), fast) / ema(closes(bars), slow) - 1),
    "rsi": lambda bars, period: rsi(closes(bars), period),
    "stoch_k": stoch_k,
    "stoch_d": lambda bars, period, smoothing, signal: mean(stoch_k(bars, period, smoothing), signal),
    "stochrsi": stochrsi,
    "cci": cci,
    "cmo": cmo,
    "mfi": mfi,
    "willr": lambda bars, period: place(closes(bars), bars.low.to_numpy(), bars.high.to_numpy(), period) - 100,
    "roc": lambda bars, period: 100 * (closes(bars) / lag(closes(bars), period) - 1),
    "mom": lambda bars, period: closes(bars) - lag(closes(bars), period),
    "trix": lambda bars, period: trix(closes(bars), period),
    "ultosc": ultosc,
    "bop": lambda bars: ((bars.close - bars.open) / (bars.high - bars.low)).to_numpy(),
    "adx": adx,
    "adxr": adxr,
    "plus_di": lambda bars, period: directional(bars, period)[0],
    "minus_di": lambda bars, period: directional(bars, period)[1],
    "aroon_up": lambda bars, period: aroon(bars.high.to_numpy(), period, np.argmax),
    "aroon_down": lambda bars, period: aroon(bars.low.to_numpy(), period, np.argmin),
    "aroonosc": lambda bars, period: (
        aroon(bars.high.to_numpy(), period, np.argmax) - aroon(bars.low.to_numpy(), period, np.argmin)
    ),
    "linearreg_slope": lambda bars, period: fitted(closes(bars), period, lambda line: line[0]),
    "sar": sar,
    "atr": atr,
    "natr": lambda bars, period: 100 * atr(bars, period) / closes(bars),
    "trange": true_range,
    "stddev": lambda bars, period: deviation(closes(bars), period),
    "var": lambda bars, period: windows(closes(bars), period, np.var),
    "zscore": lambda bars, period: (closes(bars) - mean(closes(bars), period)) / deviation(closes(bars), period),
    "realised_volatility": lambda bars, period: windows(returns(bars), period, lambda r: float(np.sqrt((r**2).mean()))),
    "obv": obv,
    "ad": lambda bars: money_flow(bars).cumsum(),
    "adosc": adosc,
    "cmf": lambda bars, period: mean(money_flow(bars), period) / mean(bars.volume.to_numpy(), period),
    "dollar_volume": lambda bars, period: mean(closes(bars) * bars.volume.to_numpy(), period),
}
