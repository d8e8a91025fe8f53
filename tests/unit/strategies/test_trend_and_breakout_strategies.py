"""EMA crossover, MACD, Bollinger and Donchian breakouts against decisions worked out by hand."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from trading_assets.domain.strategy.indicators import compute
from trading_assets.domain.strategy.parameters import ParameterError
from trading_assets.domain.strategy.strategy import WARMING_UP, ConfiguredStrategy, Strategy, decide
from trading_assets.domain.values import Timeframe
from trading_assets.strategies.bollinger_breakout import BollingerBreakout
from trading_assets.strategies.donchian_breakout import DonchianBreakout
from trading_assets.strategies.ema_crossover import EmaCrossover
from trading_assets.strategies.macd_trend import MacdTrend


def bars_of(closes: list[float], symbol: str = "A") -> pd.DataFrame:
    """Daily bars whose high is 1 USD above and whose low is 1 USD below the close."""
    close = np.asarray(closes, dtype=float)
    starts = pd.DatetimeIndex(
        [datetime(2020, 1, 2, 14, 30, tzinfo=UTC) + timedelta(days=day) for day in range(len(close))]
    )
    return pd.DataFrame(
        {
            "symbol": symbol,
            "timeframe": "1d",
            "ts": starts,
            "closes_at": starts + pd.Timedelta(hours=6.5),
            "session_date": [date(2020, 1, 2) + timedelta(days=day) for day in range(len(close))],
            "open": close,
            "high": close + 1,
            "low": close - 1,
            "close": close,
            "volume": 100.0,
        }
    )


def decisions(strategy: Strategy, bars: pd.DataFrame, factors: list[float] | None = None) -> pd.DataFrame:
    values = compute(bars, factors or np.ones(len(bars)), strategy.indicators())
    return decide(ConfiguredStrategy(strategy.name, strategy, Timeframe.SESSION, 1.0), bars, values)


def signals(strategy: Strategy, closes: list[float]) -> list[float]:
    return decisions(strategy, bars_of(closes))["signal"].tolist()


# ema_crossover -----------------------------------------------------------------------------------


def test_ema_crossover_is_long_exactly_while_fast_is_above_slow():
    # ema(2), weight 2/3: -, 10.5, 11.5, 12.5, 9.5, 8.5; ema(3), weight 1/2: -, -, 11, 12, 10, 9.
    frame = decisions(EmaCrossover(fast=2, slow=3), bars_of([10, 11, 12, 13, 8, 8]))
    assert frame["signal"].tolist() == [0, 0, 1, 1, 0, 0]
    assert frame["reason"].tolist()[1:5] == [
        WARMING_UP,
        "ema_2 11.50 above ema_3 11.00",
        "ema_2 12.50 above ema_3 12.00",
        "ema_2 9.50 not above ema_3 10.00",
    ]


@pytest.mark.parametrize("strategy", [EmaCrossover, MacdTrend])
def test_crossover_with_fast_not_below_slow_is_refused(strategy):
    with pytest.raises(ParameterError, match=r"'fast' is 50, accepted is less than 'slow' \(26\)"):
        strategy.configured({"fast": 50})


# macd_trend --------------------------------------------------------------------------------------


def test_macd_trend_is_long_exactly_while_the_line_is_above_its_signal():
    # As above the line ema(2) - ema(3), here with TA-Lib's common beginning of both averages at the third bar:
    # ema(2) begins with (11 + 12)/2 = 11.5: 11.5, 12.5, 9.5, 8.5, 12.1667; ema(3) 11, 12, 10, 9, 11.5.
    # Line .5, .5, -.5, -.5, .6667; signal(2), weight 2/3, from its first mean .5 on: .5, -.1667, -.3889, .3148.
    frame = decisions(MacdTrend(fast=2, slow=3, signal=2), bars_of([10, 11, 12, 13, 8, 8, 14]))
    assert frame["signal"].tolist() == [0, 0, 0, 0, 0, 0, 1]
    assert frame["reason"].tolist()[2:] == [
        WARMING_UP,
        "macd_2_3_2 0.500 not above its signal line 0.500",
        "macd_2_3_2 -0.500 not above its signal line -0.167",
        "macd_2_3_2 -0.500 not above its signal line -0.389",
        "macd_2_3_2 0.667 above its signal line 0.315",
    ]


# bollinger_breakout ------------------------------------------------------------------------------

# Three closes, one deviation: means 10, 10.67, 11, 11, 10.67, 9.67, 9.33; deviations 0, .94, .82, .82, .47, .94, 1.25.
CLOSES = [10, 10, 10, 12, 11, 10, 11, 8, 9]


def test_bollinger_breakout_is_held_from_above_the_upper_to_below_the_middle_band():
    # 12 > 11.61 enters; 11 is not below 11; 10 < 11 ends it; 11 < 11.14 is no breakout.
    assert signals(BollingerBreakout(period=3, deviations=1.0), CLOSES) == [0, 0, 0, 1, 1, 0, 0, 0, 0]


def test_bollinger_breakout_with_the_lower_exit_band_is_held_longer():
    # 10 is below 11 - .82 as well. With 1.4 deviations 12 > 10.67 + 1.32 enters; 11 and 10.6 are not below the lower
    # bands 9.86 and 10.38, but 8 is below 8.01.
    assert signals(BollingerBreakout(period=3, deviations=1.0, exit_band="lower"), CLOSES) == [
        0,
        0,
        0,
        1,
        1,
        0,
        0,
        0,
        0,
    ]
    wide = BollingerBreakout(period=3, deviations=1.4, exit_band="lower")
    assert signals(wide, [10, 10, 10, 12, 11, 10.6, 8, 8]) == [0, 0, 0, 1, 1, 1, 0, 0]


def test_bollinger_breakout_ends_max_hold_bars_after_the_newest_close_above_the_band():
    closes = [10, 10, 10, 12, 12, 12, 12, 12]
    assert signals(BollingerBreakout(period=3, deviations=1.0, max_hold=2), closes) == [0, 0, 0, 1, 1, 0, 0, 0]


def test_bollinger_breakout_of_a_price_that_does_not_move_stays_flat():
    assert signals(BollingerBreakout(period=3, deviations=1.0), [10] * 6) == [0] * 6


# donchian_breakout -------------------------------------------------------------------------------


def test_donchian_breakout_compares_with_the_channel_of_the_bars_before():
    # Highs and lows are 1 USD from the close. Highest high of the three bars before: 12, 12, 14.5, 14.5, 14.5, 13.5;
    # lowest low of the two before: 10, 9, 9, 11.5, 10.5, 10.5.
    closes = [10, 11, 10, 13.5, 12.5, 11.5, 10.4, 11]
    frame = decisions(DonchianBreakout(entry=3, exit=2), bars_of(closes))
    assert frame["signal"].tolist() == [0, 0, 0, 1, 1, 1, 0, 0]
    assert frame["reason"].tolist()[2:7] == [
        WARMING_UP,
        "close 13.50: 3-bar breakout 0 bars ago, not below the 2-bar low 9.00 since",
        "close 12.50: 3-bar breakout 1 bars ago, not below the 2-bar low 9.00 since",
        "close 11.50: 3-bar breakout 2 bars ago, not below the 2-bar low 11.50 since",
        "close 10.40: no open breakout above the 3-bar high 14.50",
    ]


def test_donchian_breakout_ends_max_hold_bars_after_the_newest_breakout():
    closes = [10, 10, 10, 12, 14, 14, 14, 14]
    assert signals(DonchianBreakout(entry=2, exit=2, max_hold=2), closes) == [0, 0, 0, 1, 1, 1, 0, 0]


def test_donchian_breakout_does_not_take_a_split_for_a_breakdown():
    # Two for one before the last bar: 6 after 12 is no fall.
    strategy = DonchianBreakout(entry=2, exit=2)
    split = decisions(strategy, bars_of([10, 10, 12, 6]), [1.0, 1, 1, 2])
    fall = decisions(strategy, bars_of([10, 10, 12, 6]))
    assert split["signal"].tolist() == [0, 0, 1, 1]
    assert fall["signal"].tolist() == [0, 0, 1, 0]


def test_breakouts_keep_symbols_apart():
    both = pd.concat([bars_of([10, 10, 10, 13], "A"), bars_of([13, 13, 13, 13], "B")], ignore_index=True)
    assert decisions(DonchianBreakout(entry=2, exit=2), both)["signal"].tolist() == [0, 0, 0, 1, 0, 0, 0, 0]
