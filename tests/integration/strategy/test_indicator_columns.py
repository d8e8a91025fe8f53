"""Every kind of indicator as a column of strategy.indicators: named, described, and read back to the bit in SQL."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd

from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.strategy import indicators, store_indicators
from trading_assets.domain.strategy.indicator_kinds import KINDS
from trading_assets.domain.strategy.indicators import Indicator, compute
from trading_assets.domain.values import Timeframe

FIRST, COUNT = date(2024, 1, 2), 60
DECLARED = [Indicator(name, *(parameter.usual for parameter in kind.parameters)) for name, kind in KINDS.items()]


def bars() -> pd.DataFrame:
    random = np.random.default_rng(11)
    close = 50 + random.normal(size=COUNT).cumsum()
    starts = pd.date_range("2024-01-02T14:30Z", periods=COUNT)
    return pd.DataFrame(
        {
            "symbol": "MSFT",
            "timeframe": "1d",
            "ts": starts,
            "closes_at": starts + pd.Timedelta(hours=6.5),
            "session_date": [FIRST + timedelta(days=number) for number in range(COUNT)],
            "open": close - 0.1,
            "high": close + 1,
            "low": close - 1,
            "close": close,
            "volume": random.integers(1, 1000, COUNT).astype(float),
        }
    )


def test_every_kind_becomes_a_float_column_with_a_comment_and_comes_back_to_the_bit(database: Database) -> None:
    frame = bars()
    values = compute(frame, np.ones(COUNT), DECLARED)
    assert store_indicators(database, frame, values, DECLARED) == COUNT
    with database.transaction() as connection:
        stored = connection.execute(
            "select attname, format_type(atttypid, null), col_description(attrelid, attnum) from pg_attribute "
            "where attrelid = 'strategy.indicators'::regclass and attnum > 0 and not attisdropped"
        ).fetchall()
        [newest] = connection.execute(
            "select bollinger_upper_20_2, macd_signal_12_26_9, sar_0p02_0p2 from strategy.indicators "
            "order by ts desc limit 1"
        ).fetchall()
    described = {name: (kind, comment) for name, kind, comment in stored}
    for indicator in DECLARED:
        comment = f"{indicator.description}; NaN while warming up, null where it was not computed yet."
        assert described[indicator.column] == ("double precision", comment)
    names = ["bollinger_upper_20_2", "macd_signal_12_26_9", "sar_0p02_0p2"]
    assert newest == tuple(values[names].iloc[-1])
    columns = [indicator.column for indicator in DECLARED]
    read = indicators(database, columns, ["MSFT"], Timeframe.SESSION, FIRST, FIRST + timedelta(days=COUNT))
    np.testing.assert_array_equal(read[columns].to_numpy(), values.to_numpy())


def test_one_kind_with_two_sets_of_parameters_has_two_columns(database: Database) -> None:
    frame = bars()
    pair = [Indicator("bollinger_upper", 20, 2.0), Indicator("bollinger_upper", 20, 2.5)]
    store_indicators(database, frame, compute(frame, np.ones(COUNT), pair), pair)
    with database.transaction() as connection:
        [row] = connection.execute(
            "select count(*) filter (where bollinger_upper_20_2p5 > bollinger_upper_20_2), "
            "count(*) filter (where bollinger_upper_20_2 = 'NaN') from strategy.indicators"
        ).fetchall()
    assert row == (COUNT - 19, 19)
