"""The benchmarks: always long, and long at random but the same in every run."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd

from trading_assets.domain.strategy.strategy import ConfiguredStrategy, Strategy, decide
from trading_assets.domain.values import Timeframe
from trading_assets.strategies.buy_and_hold import BuyAndHold
from trading_assets.strategies.random_entry import GOLDEN_GAMMA, RandomEntry, draws, mixed


def bars_of(symbols: str, count: int, first: int = 0) -> pd.DataFrame:
    rows = [
        (symbol, "1d", at, at + timedelta(hours=6.5), at.date(), 1.0, 1.0, 1.0, 1.0, 1.0)
        for symbol in symbols
        for at in (datetime(2020, 1, 2, 14, 30, tzinfo=UTC) + timedelta(days=day) for day in range(first, count))
    ]
    names = ["symbol", "timeframe", "ts", "closes_at", "session_date", "open", "high", "low", "close", "volume"]
    return pd.DataFrame(rows, columns=names)


def decisions(strategy: Strategy, bars: pd.DataFrame) -> pd.DataFrame:
    configured = ConfiguredStrategy(strategy.name, strategy, Timeframe.SESSION, 1.0)
    return decide(configured, bars, pd.DataFrame(index=range(len(bars))))


def test_buy_and_hold_is_long_on_every_bar_of_every_symbol():
    frame = decisions(BuyAndHold(), bars_of("AB", 5))
    assert frame["signal"].tolist() == [1.0] * 10
    assert set(frame["reason"]) == {"always long"}


def test_random_entry_mixes_as_the_published_generator():
    # The first outputs of SplitMix64 with the seed 1234567, as other implementations print them.
    states = np.uint64(1234567) + np.arange(5, dtype=np.uint64) * GOLDEN_GAMMA
    assert mixed(states).tolist() == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


def test_random_entry_draws_uniform_numbers_that_differ_by_seed_symbol_and_time():
    bars = bars_of("AB", 20_000)
    numbers = draws(1, bars)
    assert len(set(numbers)) == len(numbers)
    assert ((numbers >= 0) & (numbers < 1)).all()
    assert np.abs(np.histogram(numbers, bins=20, range=(0, 1))[0] / len(numbers) - 0.05).max() < 0.005
    other = draws(2, bars)
    for one, another in ((numbers[:20_000], numbers[20_000:]), (numbers, other), (numbers[1:], numbers[:-1])):
        assert abs(np.corrcoef(one, another)[0, 1]) < 0.03


def test_random_entry_is_held_for_its_time_after_each_draw_below_the_chance():
    bars, strategy = bars_of("A", 400), RandomEntry(seed=7, entry_pct=10.0, hold=3)
    is_entry = draws(7, bars) < 0.1
    assert 20 < is_entry.sum() < 60
    expected = [float(is_entry[max(row - 2, 0) : row + 1].any()) for row in range(len(bars))]
    assert decisions(strategy, bars)["signal"].tolist() == expected


def test_random_entry_decides_the_same_from_whatever_bar_a_range_begins():
    strategy = RandomEntry(seed=7, entry_pct=10.0, hold=3)
    whole = decisions(strategy, bars_of("A", 400))
    part = decisions(strategy, bars_of("A", 400, first=100 - strategy.memory))
    pd.testing.assert_frame_equal(part[strategy.memory :].reset_index(drop=True), whole[100:].reset_index(drop=True))


def test_random_entry_with_chance_zero_or_hundred_never_or_always_buys():
    bars = bars_of("A", 50)
    assert set(decisions(RandomEntry(entry_pct=0.0), bars)["signal"]) == {0.0}
    assert set(decisions(RandomEntry(entry_pct=100.0), bars)["signal"]) == {1.0}
