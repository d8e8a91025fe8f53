"""Quality suites as data: what must hold for a dataset, in expectations that Great Expectations knows by name.

A check's name is a sentence that is true when the check passes. Columns that need a calculation come from the domain
(`domain.market.bar_rules`); nothing is computed here.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from trading_assets.domain.market.bars import BAR_COLUMNS
from trading_assets.domain.values import Timeframe


class Severity(StrEnum):
    CRITICAL = "critical"
    WARNING = "warning"


@dataclass(frozen=True)
class Expectation:
    """`type` is a class of great_expectations.expectations, `kwargs` its arguments.

    A blocking expectation closes the quality gate of what it touches; the others only tell.
    """

    name: str
    description: str
    type: str
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    severity: Severity = Severity.CRITICAL
    blocking: bool = True


@dataclass(frozen=True)
class Suite:
    """`key_columns` identify a row. With gates, named by `dataset`, they contain session_date and symbol."""

    name: str
    dataset: str
    key_columns: tuple[str, ...]
    expectations: tuple[Expectation, ...]
    has_gates: bool = False


def _true(name: str, description: str, column: str) -> Expectation:
    return Expectation(name, description, "ExpectColumnValuesToBeInSet", {"column": column, "value_set": [True]})


def _false(name: str, description: str, column: str) -> Expectation:
    return Expectation(name, description, "ExpectColumnValuesToBeInSet", {"column": column, "value_set": [False]})


def _ordered(name: str, description: str, larger: str, smaller: str, *, or_equal: bool = True) -> Expectation:
    return Expectation(
        name,
        description,
        "ExpectColumnPairValuesAToBeGreaterThanB",
        {
            "column_A": larger,
            "column_B": smaller,
            "or_equal": or_equal,
            "ignore_row_if": "either_value_is_missing",
        },
    )


def _warning(name: str, description: str, mostly: float, **bounds: Any) -> Expectation:
    return Expectation(
        name,
        description,
        "ExpectColumnValuesToBeBetween",
        {"mostly": mostly, **bounds},
        severity=Severity.WARNING,
        blocking=False,
    )


BARS = Suite(
    name="bars",
    dataset="market/bars",
    key_columns=("session_date", "symbol", "timeframe", "ts"),
    has_gates=True,
    expectations=(
        Expectation(
            "bars_have_all_columns",
            "Every column of a bar is there.",
            "ExpectTableColumnsToMatchSet",
            {"column_set": list(BAR_COLUMNS), "exact_match": False},
        ),
        Expectation(
            "bars_have_no_missing_values",
            "No column of a bar is empty or NaN.",
            "ExpectColumnValuesToBeInSet",
            {"column": "missing_values", "value_set": [""]},
        ),
        Expectation(
            "bars_are_unique",
            "A symbol, timeframe and start name one bar.",
            "ExpectCompoundColumnsToBeUnique",
            {"column_list": ["symbol", "timeframe", "ts"]},
        ),
        Expectation(
            "bars_have_known_timeframes",
            "The timeframe is one that the platform knows.",
            "ExpectColumnValuesToBeInSet",
            {"column": "timeframe", "value_set": [str(timeframe) for timeframe in Timeframe]},
        ),
        _true(
            "bars_belong_to_known_instruments",
            "The symbol is in the universe or a known instrument.",
            "is_known_symbol",
        ),
        Expectation(
            "bars_have_positive_prices",
            "Open, high, low and close are above zero.",
            "ExpectColumnValuesToBeBetween",
            {"column": "lowest_price", "min_value": 0, "strict_min": True},
        ),
        Expectation(
            "bars_have_finite_values",
            "No price and no volume is infinite.",
            "ExpectColumnValuesToBeBetween",
            {"column": "largest_value", "max_value": sys.float_info.max},
        ),
        _ordered("bars_have_high_above_low", "The high is not below the low.", "high", "low"),
        _ordered("bars_have_high_above_open_and_close", "The high is not below open or close.", "high", "body_top"),
        _ordered("bars_have_low_below_open_and_close", "The low is not above open or close.", "body_bottom", "low"),
        Expectation(
            "bars_have_no_negative_volume",
            "Volume is zero or more.",
            "ExpectColumnValuesToBeBetween",
            {"column": "volume", "min_value": 0},
        ),
        _ordered("bars_start_before_they_end", "A bar ends after it starts.", "closes_at", "ts", or_equal=False),
        _true(
            "bars_lie_inside_their_session", "Start and end lie in the session's trading hours.", "is_inside_session"
        ),
        _true(
            "bars_lie_on_the_session_grid", "Start and end are those the calendar gives a bar.", "is_on_session_grid"
        ),
        _true(
            "bars_follow_each_other", "No bar starts before the previous one of its series ends.", "follows_previous"
        ),
        _true("bars_have_ended", "No bar ends in the future.", "is_closed"),
        _true("bars_have_no_gaps", "Every bar due since the symbol's first one is stored.", "is_stored"),
        _false("bars_do_not_repeat", "No bar copies all five values of the one before it.", "is_repeat"),
        _false(
            "bars_have_no_unexplained_split",
            "No open stands to the previous close as in a usual split without a known split.",
            "is_unexplained_split",
        ),
        _true(
            "bars_show_every_known_split", "A known split is visible in the prices of its ex-date.", "is_split_shown"
        ),
        Expectation(
            "adjusted_prices_go_on_at_ex_dates",
            "Adjusted for a split or dividend, the open of its ex-date is within 25 % of the previous close.",
            "ExpectColumnValuesToBeBetween",
            {"column": "ex_date_gap", "min_value": -0.25, "max_value": 0.25},
        ),
        _warning(
            "bars_have_volume",
            "At least 99 bars of 100 have trades.",
            mostly=0.99,
            column="volume",
            min_value=0,
            strict_min=True,
        ),
        _warning(
            "bars_do_not_stop_trading",
            "At least 998 bars of 1,000 end a row of fewer than five without volume.",
            mostly=0.998,
            column="untraded_bars",
            max_value=4,
        ),
        _warning(
            "bars_do_not_stand_still",
            "At least 998 closes of 1,000 end a row of fewer than five unchanged ones.",
            mostly=0.998,
            column="unchanged_closes",
            max_value=4,
        ),
        _warning(
            "bars_open_near_the_previous_close",
            "At least 998 opens of 1,000 are within 20 % of the previous close, adjusted for known actions.",
            mostly=0.998,
            column="overnight_gap",
            min_value=-0.2,
            max_value=0.2,
        ),
        _warning(
            "bars_have_usual_returns",
            "At least 998 returns of 1,000 are within 12 robust standard deviations of the last 60 bars.",
            mostly=0.998,
            column="return_score",
            max_value=12,
        ),
        Expectation(
            "bars_have_no_split_like_returns",
            "At least 998 closes of 1,000 do not stand to the previous one, adjusted, as in a usual split.",
            "ExpectColumnValuesToBeInSet",
            {"column": "is_split_like_return", "value_set": [False], "mostly": 0.998},
            severity=Severity.WARNING,
            blocking=False,
        ),
        _warning(
            "dividends_are_plausible",
            "At least 998 bars of 1,000 open without a dividend above a tenth of the previous close.",
            mostly=0.998,
            column="dividend_share",
            max_value=0.1,
        ),
    ),
)
