"""The rules of bars in straightforward vectorised pandas: the rival of `validate`, and a second opinion for the tests.

Column for column the answers of trading_assets.domain.market.bar_rules, written as one would first write them.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import numpy as np
import numpy.typing as npt
import pandas as pd

from trading_assets.domain.market.bar_rules import BarContext
from trading_assets.domain.market.bars import BAR_COLUMNS
from trading_assets.domain.market.corporate_actions import ActionKind
from trading_assets.domain.market.sessions import bar_bounds, session, sessions_between
from trading_assets.domain.values import Timeframe
from trading_assets.quality.suites import Expectation, Suite

PRICES = ["open", "high", "low", "close"]
VALUES = [*PRICES, "volume"]
SERIES = ["symbol", "timeframe"]
BAR_KEY = [*SERIES, "ts"]
SPLIT_RATIOS = np.array([1.5, 2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 25, 30, 40, 50])


def annotate_bars(bars: pd.DataFrame, context: BarContext) -> pd.DataFrame:
    """The columns of bar_rules.annotate_bars."""
    ordered = bars.loc[:, list(BAR_COLUMNS)].sort_values(BAR_KEY, kind="stable", ignore_index=True)
    judged = _with_previous_bar(ordered, context.actions)
    judged = judged[judged["session_date"].between(context.first, context.last)].reset_index(drop=True)
    grid = _session_grid(judged, context)
    judged = _with_session(_with_shape(judged), grid, context)
    missing = _missing_bars(judged, grid, context)
    judged["is_stored"] = True
    if missing.empty:
        return judged
    return pd.concat([judged.astype(object), missing.astype(object)], ignore_index=True).astype(
        dict.fromkeys(VALUES, float)
    )


def _with_shape(bars: pd.DataFrame) -> pd.DataFrame:
    """Questions that one bar answers alone."""
    missing = pd.Series("", index=bars.index, dtype=object)
    for name in BAR_COLUMNS:
        missing = missing.where(bars[name].notna(), missing + " " + name)
    return bars.assign(
        missing_values=missing.str.strip(),
        lowest_price=bars[PRICES].min(axis=1),
        largest_value=bars[VALUES].abs().max(axis=1),
        body_top=bars[["open", "close"]].max(axis=1),
        body_bottom=bars[["open", "close"]].min(axis=1),
    )


def _with_previous_bar(bars: pd.DataFrame, actions: pd.DataFrame) -> pd.DataFrame:
    """Questions about a bar and the one before it in the same series."""
    by_series = bars.groupby(SERIES, sort=False)
    previous = by_series[[*VALUES, "session_date", "closes_at"]].shift()
    split_ratio, dividend = _actions_between(bars, previous["session_date"], actions)
    with np.errstate(divide="ignore", invalid="ignore"):
        expected_close = ((previous["close"] - dividend) / split_ratio).where(lambda price: price > 0)
        jump = bars["open"] / (previous["close"] - dividend)
        magnitude = np.abs(np.log((bars["close"] / expected_close).where(lambda ratio: ratio > 0)))
        jump_size = np.abs(np.log(jump.where(jump > 0)))
        rest_size = np.abs(np.log((jump * split_ratio).where(jump > 0)))
    typical = (
        magnitude.groupby([bars["symbol"], bars["timeframe"]], sort=False)
        .transform(lambda sizes: sizes.rolling(60, min_periods=20).median().shift())
        .mul(1.4826)
        .clip(lower=0.001)
    )
    is_same_close = bars["close"] == previous["close"]
    is_untraded = bars["volume"] == 0
    overnight_gap = bars["open"] / expected_close - 1
    return bars.assign(
        is_repeat=(bars[VALUES] == previous[VALUES]).all(axis=1) & (bars["volume"] > 0),
        unchanged_closes=is_same_close.groupby([*(bars[name] for name in SERIES), (~is_same_close).cumsum()]).cumsum(),
        untraded_bars=is_untraded.groupby([*(bars[name] for name in SERIES), (~is_untraded).cumsum()]).cumsum(),
        follows_previous=previous["closes_at"].isna() | (bars["ts"] >= previous["closes_at"]),
        overnight_gap=overnight_gap,
        ex_date_gap=overnight_gap.where((split_ratio != 1) | (dividend != 0)),
        return_score=magnitude / typical,
        is_split_like_return=_looks_like_split(bars["close"] / expected_close),
        is_unexplained_split=(split_ratio == 1) & _looks_like_split(jump),
        is_split_shown=(split_ratio == 1) | jump.isna() | (rest_size < jump_size),
        dividend_share=dividend / previous["close"],
    )


def _looks_like_split(jump: pd.Series) -> pd.Series:
    """Whether open / previous close is within 3 % of a usual split's factor, forward or reverse."""
    jumps = jump.to_numpy(dtype=float)[:, None]
    factors = np.concatenate([SPLIT_RATIOS, 1 / SPLIT_RATIOS])[None, :]
    return pd.Series((np.abs(jumps / factors - 1) < 0.03).any(axis=1), index=jump.index)


def _actions_between(
    bars: pd.DataFrame, previous_sessions: pd.Series, actions: pd.DataFrame
) -> tuple[pd.Series, pd.Series]:
    """Split ratio (1 without a split) and dividend (USD, 0 without one) with previous session < ex-date <= session."""
    ratio, dividend = pd.Series(1.0, index=bars.index), pd.Series(0.0, index=bars.index)
    for symbol, of_symbol in actions.sort_values("ex_date").groupby("symbol"):
        rows = bars.index[(bars["symbol"] == symbol) & previous_sessions.notna()]
        ex_dates = of_symbol["ex_date"].to_numpy()
        after = np.searchsorted(ex_dates, bars.loc[rows, "session_date"].to_numpy(), side="right")
        before = np.searchsorted(ex_dates, previous_sessions.loc[rows].to_numpy(), side="right")
        is_split = (of_symbol["kind"] == ActionKind.SPLIT).to_numpy()
        ratios = np.where(is_split, of_symbol["split_ratio"].to_numpy(dtype=float), 1.0)
        amounts = np.where(is_split, 0.0, of_symbol["amount_usd"].to_numpy(dtype=float))
        products, sums = _running(np.multiply, ratios, 1.0), _running(np.add, amounts, 0.0)
        ratio.loc[rows] = products[after] / products[before]
        dividend.loc[rows] = sums[after] - sums[before]
    return ratio, dividend


def _running(operation: np.ufunc, steps: npt.NDArray[np.float64], start: float) -> npt.NDArray[np.float64]:
    return np.asarray(operation.accumulate(np.concatenate([[start], steps])), dtype=np.float64)


def _session_grid(bars: pd.DataFrame, context: BarContext) -> pd.DataFrame:
    """Every bar the calendar has in the range, with opening and closing of its session."""
    timeframes = sorted({*context.timeframes, *_known_timeframes(bars["timeframe"].unique())})
    rows = [
        (day, str(timeframe), bounds.ts, bounds.closes_at, trading.opens_at, trading.closes_at)
        for day in sessions_between(context.first, context.last)
        for trading in (session(day),)
        for timeframe in timeframes
        for bounds in bar_bounds(day, timeframe)
    ]
    columns = ["session_date", "timeframe", "ts", "closes_at", "session_opens_at", "session_closes_at"]
    grid = pd.DataFrame(rows, columns=columns)
    return grid.assign(
        **{name: pd.to_datetime(grid[name], utc=True).astype("datetime64[us, UTC]") for name in columns[2:]}
    )


def _known_timeframes(names: Iterable[str]) -> set[Timeframe]:
    return {timeframe for timeframe in Timeframe if timeframe in set(names)}


def _with_session(bars: pd.DataFrame, grid: pd.DataFrame, context: BarContext) -> pd.DataFrame:
    """Questions about a bar and the calendar, the universe and the time."""
    hours = grid.drop_duplicates("session_date").set_index("session_date")
    opens_at = pd.to_datetime(bars["session_date"].map(hours["session_opens_at"]), utc=True)
    closes_at = pd.to_datetime(bars["session_date"].map(hours["session_closes_at"]), utc=True)
    key = ["session_date", "timeframe", "ts", "closes_at"]
    on_grid = pd.MultiIndex.from_frame(bars[key]).isin(pd.MultiIndex.from_frame(grid[key]))
    return bars.assign(
        is_known_symbol=bars["symbol"].isin(list(context.known_symbols)),
        is_inside_session=(bars["ts"] >= opens_at) & (bars["closes_at"] <= closes_at),
        is_on_session_grid=on_grid,
        is_closed=bars["closes_at"] <= context.now,
    )


def _missing_bars(bars: pd.DataFrame, grid: pd.DataFrame, context: BarContext) -> pd.DataFrame:
    """Bars that ended by now and are not stored: of a series since its first one, of all series in an empty session."""
    due = grid[(grid["closes_at"] <= context.now) & grid["timeframe"].isin([str(name) for name in context.timeframes])]
    expected = due.merge(pd.DataFrame({"symbol": list(context.universe)}, dtype=object), how="cross")
    known = pd.DataFrame([(*series, day) for series, day in context.first_sessions.items()], columns=[*SERIES, "since"])
    since = expected.merge(known, how="left", on=SERIES)["since"]
    is_due = since.notna() & (since.fillna(date.max) <= expected["session_date"])
    is_empty_session = ~expected["session_date"].isin(set(bars["session_date"]))
    is_stored = pd.MultiIndex.from_frame(expected[BAR_KEY]).isin(pd.MultiIndex.from_frame(bars[BAR_KEY]))
    missing = expected.loc[(is_due | is_empty_session) & ~is_stored, [*BAR_KEY, "closes_at", "session_date"]]
    return missing.assign(is_stored=False)


def unexpected_counts(frame: pd.DataFrame, suite: Suite) -> dict[str, int]:
    """How many rows break each expectation."""
    return {each.name: _unexpected_count(frame, each) for each in suite.expectations}


def _unexpected_count(frame: pd.DataFrame, expectation: Expectation) -> int:
    arguments = expectation.kwargs
    if expectation.type == "ExpectTableColumnsToMatchSet":
        return len(set(arguments["column_set"]) - set(frame.columns))
    if expectation.type == "ExpectCompoundColumnsToBeUnique":
        return int(frame.duplicated(arguments["column_list"], keep=False).sum())
    if expectation.type == "ExpectColumnPairValuesAToBeGreaterThanB":
        pair = frame[[arguments["column_A"], arguments["column_B"]]].dropna()
        larger, smaller = pair.iloc[:, 0], pair.iloc[:, 1]
        return int((~(larger >= smaller if arguments["or_equal"] else larger > smaller)).sum())
    column = frame[arguments["column"]].dropna()
    if expectation.type == "ExpectColumnValuesToBeInSet":
        return int((~column.isin(arguments["value_set"])).sum())
    is_high_enough = column.ge(arguments.get("min_value", -np.inf))
    if arguments.get("strict_min"):
        is_high_enough = column.gt(arguments["min_value"])
    return int((~(is_high_enough & column.le(arguments.get("max_value", np.inf)))).sum())
