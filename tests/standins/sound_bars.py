"""Sound bars around holidays, half days and a listing, what they are judged by, and a fault for every check of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd

from trading_assets.domain.market.bar_rules import BarContext
from trading_assets.domain.market.sessions import bar_bounds, sessions_between
from trading_assets.domain.values import Timeframe

# Hurricane days before, Thanksgiving, two half days and Christmas inside.
HISTORY_FIRST, FIRST, LAST = date(2012, 8, 20), date(2012, 11, 19), date(2012, 12, 31)
FAULTY = date(2012, 11, 27)
UNIVERSE = ("AAA", "BBB", "NEW")
LISTED_ON = date(2012, 11, 21)
NO_ACTIONS = pd.DataFrame({"symbol": [], "ex_date": [], "kind": [], "split_ratio": [], "amount_usd": []}, dtype=object)


def sound_bars(
    timeframe: Timeframe = Timeframe.SESSION, first: date = HISTORY_FIRST, last: date = LAST
) -> pd.DataFrame:
    random = np.random.default_rng(7)
    rows = []
    for symbol in UNIVERSE:
        close = 100.0
        for day in sessions_between(first, last):
            if symbol == "NEW" and day < LISTED_ON:
                continue
            for bounds in bar_bounds(day, timeframe):
                open_ = close * float(np.exp(random.normal(0, 0.002)))
                close = open_ * float(np.exp(random.normal(0, 0.01)))
                high, low = max(open_, close) * 1.001, min(open_, close) * 0.999
                volume = float(random.integers(1_000, 100_000))
                rows.append((symbol, str(timeframe), *bounds, day, open_, high, low, close, volume, "test"))
    columns = [
        "symbol",
        "timeframe",
        "ts",
        "closes_at",
        "session_date",
        "open",
        "high",
        "low",
        "close",
        "volume",
        "source",
    ]
    return pd.DataFrame(rows, columns=columns).astype({"ts": "datetime64[us, UTC]", "closes_at": "datetime64[us, UTC]"})


def context(
    actions: pd.DataFrame = NO_ACTIONS,
    now: datetime = datetime(2013, 1, 1, tzinfo=UTC),
    first: date = FIRST,
    last: date = LAST,
    timeframe: Timeframe = Timeframe.SESSION,
) -> BarContext:
    return BarContext(
        first=first,
        last=last,
        timeframes=[timeframe],
        universe=UNIVERSE,
        known_symbols=frozenset(UNIVERSE),
        first_sessions={
            (symbol, str(timeframe)): LISTED_ON if symbol == "NEW" else HISTORY_FIRST for symbol in UNIVERSE
        },
        actions=actions,
        now=now,
    )


def one_action(kind: str, **amounts: float) -> pd.DataFrame:
    row = {"symbol": "AAA", "ex_date": FAULTY, "kind": kind, "split_ratio": None, "amount_usd": None} | amounts
    return pd.DataFrame([row])


def at_fault(bars: pd.DataFrame) -> pd.Series:
    return (bars["symbol"] == "AAA") & (bars["session_date"] == FAULTY)


def before_fault(bars: pd.DataFrame) -> pd.DataFrame:
    return bars[(bars["symbol"] == "AAA") & (bars["session_date"] < FAULTY)].iloc[-1]


def with_values(**values: object) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def plant(bars: pd.DataFrame) -> pd.DataFrame:
        for name, value in values.items():
            bars.loc[at_fault(bars), name] = value
        return bars

    return plant


def with_factor(**factors: float) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def plant(bars: pd.DataFrame) -> pd.DataFrame:
        for name, factor in factors.items():
            bars.loc[at_fault(bars), name] *= factor
        return bars

    return plant


def from_the_fault_on(factor: float) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def plant(bars: pd.DataFrame) -> pd.DataFrame:
        later = (bars["symbol"] == "AAA") & (bars["session_date"] >= FAULTY)
        bars.loc[later, ["open", "high", "low", "close"]] *= factor
        return bars

    return plant


def missing(bars: pd.DataFrame) -> pd.DataFrame:
    return bars[~at_fault(bars)]


def twice(bars: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([bars, bars[at_fault(bars)]])


def repeated(bars: pd.DataFrame) -> pd.DataFrame:
    values = ["open", "high", "low", "close", "volume"]
    bars.loc[at_fault(bars), values] = before_fault(bars)[values].to_numpy(dtype=float)
    return bars


def shifted(**shifts: timedelta) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def plant(bars: pd.DataFrame) -> pd.DataFrame:
        for name, shift in shifts.items():
            bars.loc[at_fault(bars), name] += shift
        return bars

    return plant


def unknown_symbol(bars: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([bars, bars[at_fault(bars)].assign(symbol="ZZZ")])


def unknown_timeframe(bars: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([bars, bars[at_fault(bars)].assign(timeframe="5m")])


def standing_still(bars: pd.DataFrame) -> pd.DataFrame:
    still = (bars["symbol"] == "AAA") & bars["session_date"].between(date(2012, 11, 19), FAULTY)
    bars.loc[still, ["open", "high", "low", "close"]] = 100.0
    return bars


def not_traded(bars: pd.DataFrame) -> pd.DataFrame:
    quiet = (bars["symbol"] == "AAA") & bars["session_date"].between(date(2012, 11, 20), FAULTY)
    bars.loc[quiet, "volume"] = 0.0
    return bars


FAULTS: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "bars_have_no_missing_values": with_values(close=np.nan),
    "bars_are_unique": twice,
    "bars_have_known_timeframes": unknown_timeframe,
    "bars_belong_to_known_instruments": unknown_symbol,
    "bars_have_positive_prices": with_values(low=0.0),
    "bars_have_finite_values": with_values(volume=np.inf),
    "bars_have_high_above_low": with_factor(low=1.5),
    "bars_have_high_above_open_and_close": with_factor(high=0.9),
    "bars_have_low_below_open_and_close": with_factor(low=1.1),
    "bars_have_no_negative_volume": with_values(volume=-1.0),
    "bars_start_before_they_end": shifted(closes_at=-timedelta(hours=7)),
    "bars_lie_inside_their_session": shifted(closes_at=timedelta(hours=1)),
    "bars_lie_on_the_session_grid": shifted(ts=timedelta(minutes=1)),
    "bars_follow_each_other": shifted(ts=-timedelta(hours=20)),
    "bars_have_ended": shifted(closes_at=timedelta(days=60)),
    "bars_have_no_gaps": missing,
    "bars_do_not_repeat": repeated,
    "bars_have_no_unexplained_split": from_the_fault_on(0.5),
    "bars_have_volume": with_values(volume=0.0),
    "bars_do_not_stop_trading": not_traded,
    "bars_do_not_stand_still": standing_still,
    "bars_open_near_the_previous_close": from_the_fault_on(0.75),
    "bars_have_usual_returns": from_the_fault_on(0.8),
    "bars_have_no_split_like_returns": from_the_fault_on(0.5),
}
"""A fault in the bars of AAA on one day, by the expectation that must find it."""

FAULTS_OF_ACTIONS = {
    "bars_show_every_known_split": one_action("split", split_ratio=2.0),
    "adjusted_prices_go_on_at_ex_dates": one_action("split", split_ratio=2.0),
    "dividends_are_plausible": one_action("cash_dividend", amount_usd=15.0),
}
FAULTS_OF_THE_FRAME = {"bars_have_all_columns": lambda frame: frame.drop(columns="source")}
