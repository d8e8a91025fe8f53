"""Pairs trading: entry, exit, stop and expiry against spreads made by hand, and both legs always together."""

from collections.abc import Sequence
from datetime import date

import numpy as np
import pandas as pd
import pytest

from trading_assets.domain.market.sessions import bar_bounds, sessions_between
from trading_assets.domain.market.universe import Membership
from trading_assets.domain.strategy.facts import Facts
from trading_assets.domain.strategy.indicators import compute
from trading_assets.domain.strategy.parameters import ParameterError
from trading_assets.domain.strategy.strategy import NO_FACTS, ConfiguredStrategy, View, decide
from trading_assets.domain.values import Timeframe
from trading_assets.strategies.pairs_trading import CHANGE, PairsTrading

DAYS = sessions_between(date(2019, 1, 2), date(2019, 4, 30))
DISCOVERY = DAYS.index(date(2019, 4, 1))
"""The first session of April; with 60 bars of formation the only discovery."""

RULES = {"formation": 60, "window": 10, "entry": 1.5, "exit": 0.5, "stop": 2.5, "max_hold": 4, "max_p_value": 0.01}
HEDGE_RATIO = 0.5


def prices(seed: int, afterwards: Sequence[float] = ()) -> dict[str, np.ndarray]:
    """Y = X to the power of the hedge ratio x spread, which falls back by 60 % a bar and then is as it is told."""
    generator = np.random.default_rng(seed)
    log_x = generator.normal(scale=0.02, size=len(DAYS)).cumsum()
    spread = np.zeros(len(DAYS))
    for row, shock in enumerate(generator.normal(scale=0.01, size=len(DAYS))):
        spread[row] = 0.4 * spread[row - 1] + shock
    spread[DISCOVERY + 1 : DISCOVERY + 1 + len(afterwards)] = afterwards
    return {"X": 50 * np.exp(log_x), "Y": 20 * np.exp(HEDGE_RATIO * log_x + spread)}


def bars_of(closes: dict[str, np.ndarray]) -> pd.DataFrame:
    rows = [
        (symbol, "1d", *bar_bounds(day, Timeframe.SESSION)[0], day, price, price, price, price, 1.0)
        for symbol, series in sorted(closes.items())
        for day, price in zip(DAYS, series, strict=True)
    ]
    names = ["symbol", "timeframe", "ts", "closes_at", "session_date", "open", "high", "low", "close", "volume"]
    return pd.DataFrame(rows, columns=names)


def decided(bars: pd.DataFrame, facts: Facts = NO_FACTS, **changed: object) -> pd.DataFrame:
    strategy = PairsTrading(**(RULES | changed))
    values = compute(bars, np.ones(len(bars)), strategy.indicators())
    return decide(ConfiguredStrategy(strategy.name, strategy, Timeframe.SESSION, 1.0), bars, values, facts)


def discovered(bars: pd.DataFrame):
    strategy = PairsTrading(**RULES)
    view = View("test", bars, compute(bars, np.ones(len(bars)), [CHANGE]), [CHANGE])
    (discovery,) = strategy.discoveries(view)
    return discovery


def legs(frame: pd.DataFrame) -> tuple[list[float], list[float]]:
    """The signals of Y and of X from the discovery on."""
    signals = {symbol: rows["signal"].tolist()[DISCOVERY:] for symbol, rows in frame.groupby("symbol")}
    return signals["Y"], signals["X"]


def walked(score: np.ndarray) -> tuple[list[float], set[str]]:
    """The side of the spread from the discovery on, bar by bar, and in which ways positions ended."""
    side, age, sides, ends = 0, 0, [], set()
    for row in range(DISCOVERY, len(score)):
        now, before = score[row], score[row - 1]
        crossing = -1 if now >= 1.5 > before else 1 if now <= -1.5 < before else 0
        age = 0 if crossing else age + 1
        side = crossing or side
        end = ""
        if abs(now) >= 2.5 and now * side < 0:
            end = "stop"
        elif now * side >= -0.5:
            end = "exit"
        elif age >= 4:
            end = "expiry"
        if side and end:
            side, ends = 0, ends | {end}
        sides.append(float(side))
    return sides, ends


def test_pair_is_discovered_at_the_first_close_of_the_month_from_bars_up_to_it():
    bars = bars_of(prices(12))
    discovery = discovered(bars)
    assert discovery.session_date == date(2019, 4, 1)
    assert discovery.discovered_at == bar_bounds(date(2019, 4, 1), Timeframe.SESSION)[0].closes_at
    (pair,) = discovery.selected
    assert (pair.symbol_y, pair.symbol_x) == ("Y", "X")
    assert pair.hedge_ratio == pytest.approx(HEDGE_RATIO, abs=0.1)
    # By least squares on the logarithms of the 60 bars, whose beginning only moves the intercept.
    window = slice(DISCOVERY + 1 - 60, DISCOVERY + 1)
    log_y, log_x = (np.log(series[window]) for series in (prices(12)["Y"], prices(12)["X"]))
    assert pair.hedge_ratio == pytest.approx(np.polyfit(log_x, log_y, 1)[0], rel=1e-9)


def test_both_legs_follow_the_score_of_the_spread_bar_by_bar():
    seen: set[str] = set()
    for seed in range(5, 25):
        series = prices(seed)
        bars = bars_of(series)
        selected = discovered(bars).selected
        if not selected or selected[0].symbol_y != "Y":
            continue
        ratio = selected[0].hedge_ratio
        spread = pd.Series(np.log(series["Y"]) - ratio * np.log(series["X"]))
        score = ((spread - spread.rolling(10).mean()) / spread.rolling(10).std(ddof=0)).to_numpy()
        sides, ends = walked(score)
        y, x = legs(decided(bars))
        assert y == sides
        assert x == pytest.approx([-side * ratio for side in sides])
        seen |= ends
    assert seen == {"stop", "exit", "expiry"}


def test_position_is_explained_with_its_pair_and_score():
    frame = decided(bars_of(prices(12, [-0.03, -0.025, 0.0])))
    of_y = frame[frame["symbol"] == "Y"].iloc[DISCOVERY + 1]
    assert of_y["signal"] == 1
    assert of_y["reason"].startswith("Y against 0.")
    assert of_y["reason"].endswith(": spread bought 0 bars ago")
    assert set(frame["reason"].iloc[1:50]) == {"no discovery yet"}
    assert frame[frame["signal"] != 0].groupby("closes_at")["leg_group"].agg(set).tolist()[-1] == {"Y/X"}
    assert frame["leg_group"].iloc[1:50].isna().all()


def test_pair_that_is_not_cointegrated_is_not_traded():
    frame = decided(bars_of(prices(12)), max_p_value=1e-12)
    assert set(frame["signal"]) == {0.0}
    assert frame["reason"].iloc[-1] == "in no pair selected on 2019-04-01"


def test_missing_bar_of_one_leg_neither_opens_nor_closes_the_other():
    bars = bars_of(prices(12, [-0.03, -0.03, -0.03]))
    is_missing = (bars["symbol"] == "X") & (bars["session_date"] == DAYS[DISCOVERY + 2])
    frame = decided(bars[~is_missing].reset_index(drop=True))
    y = frame[frame["symbol"] == "Y"]["signal"].tolist()
    assert y[DISCOVERY + 1 : DISCOVERY + 3] == [1.0, 1.0]


def test_leg_that_leaves_the_universe_takes_the_other_with_it():
    bars = bars_of(prices(12, [-0.03, -0.03, -0.03]))
    members = [Membership("Y", date(2000, 1, 3)), Membership("X", date(2000, 1, 3), DAYS[DISCOVERY + 1])]
    y, x = legs(decided(bars, Facts(members=members)))
    assert (y[1], y[2]) == (1.0, 0.0)
    assert (x[1] < 0, x[2]) == (True, 0.0)


def test_hedge_ratio_above_one_makes_the_other_leg_the_whole_one():
    series = prices(12, [-0.03])
    y, x = legs(decided(bars_of({"X": series["X"] ** 0.25, "Y": series["Y"]})))
    assert x[1] == -1.0
    assert y[1] == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"entry": 0.4}, r"'exit', 'entry' and 'stop' are 0.5, 0.4 and 4.0: accepted is exit below entry below stop"),
        ({"stop": 2.0}, "accepted is exit below entry below stop"),
        ({"window": 252}, r"'window' is 252, accepted is less than 'formation' \(252\)"),
    ],
)
def test_levels_out_of_order_and_windows_too_long_are_refused(changed, message):
    with pytest.raises(ParameterError, match=message):
        PairsTrading.configured(changed)
