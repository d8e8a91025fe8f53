"""Quality suites as data: what must hold for each dataset.

Columns that need a calculation come from the domain (`bar_rules`, `session_rules`) or from the query that loads the
frame; nothing is computed here.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from trading_assets.domain.market.bars import BAR_COLUMNS
from trading_assets.domain.values import Timeframe
from trading_assets.quality.expectations import (
    Expectation,
    Severity,
    Suite,
    false_everywhere,
    ordered,
    rarely_outside,
    true_everywhere,
    values_in,
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
        true_everywhere(
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
        ordered("bars_have_high_above_low", "The high is not below the low.", "high", "low"),
        ordered("bars_have_high_above_open_and_close", "The high is not below open or close.", "high", "body_top"),
        ordered("bars_have_low_below_open_and_close", "The low is not above open or close.", "body_bottom", "low"),
        Expectation(
            "bars_have_no_negative_volume",
            "Volume is zero or more.",
            "ExpectColumnValuesToBeBetween",
            {"column": "volume", "min_value": 0},
        ),
        ordered("bars_start_before_they_end", "A bar ends after it starts.", "closes_at", "ts", or_equal=False),
        true_everywhere(
            "bars_lie_inside_their_session", "Start and end lie in the session's trading hours.", "is_inside_session"
        ),
        true_everywhere(
            "bars_lie_on_the_session_grid", "Start and end are those the calendar gives a bar.", "is_on_session_grid"
        ),
        true_everywhere(
            "bars_follow_each_other", "No bar starts before the previous one of its series ends.", "follows_previous"
        ),
        true_everywhere("bars_have_ended", "No bar ends in the future.", "is_closed"),
        true_everywhere("bars_have_no_gaps", "Every bar due since the symbol's first one is stored.", "is_stored"),
        false_everywhere("bars_do_not_repeat", "No bar copies all five values of the one before it.", "is_repeat"),
        false_everywhere(
            "bars_have_no_unexplained_split",
            "No open stands to the previous close as in a usual split without a known split.",
            "is_unexplained_split",
        ),
        true_everywhere(
            "bars_show_every_known_split", "A known split is visible in the prices of its ex-date.", "is_split_shown"
        ),
        Expectation(
            "adjusted_prices_go_on_at_ex_dates",
            "Adjusted for a split or dividend, the open of its ex-date is within 25 % of the previous close.",
            "ExpectColumnValuesToBeBetween",
            {"column": "ex_date_gap", "min_value": -0.25, "max_value": 0.25},
        ),
        rarely_outside(
            "bars_have_volume",
            "At least 99 bars of 100 have trades.",
            mostly=0.99,
            column="volume",
            min_value=0,
            strict_min=True,
        ),
        rarely_outside(
            "bars_do_not_stop_trading",
            "At least 998 bars of 1,000 end a row of fewer than five without volume.",
            mostly=0.998,
            column="untraded_bars",
            max_value=4,
        ),
        rarely_outside(
            "bars_do_not_stand_still",
            "At least 998 closes of 1,000 end a row of fewer than five unchanged ones.",
            mostly=0.998,
            column="unchanged_closes",
            max_value=4,
        ),
        rarely_outside(
            "bars_open_near_the_previous_close",
            "At least 998 opens of 1,000 are within 20 % of the previous close, adjusted for known actions.",
            mostly=0.998,
            column="overnight_gap",
            min_value=-0.2,
            max_value=0.2,
        ),
        rarely_outside(
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
        rarely_outside(
            "dividends_are_plausible",
            "At least 998 bars of 1,000 open without a dividend above a tenth of the previous close.",
            mostly=0.998,
            column="dividend_share",
            max_value=0.1,
        ),
    ),
)

TELLS_ONLY: Mapping[str, Any] = {"blocking": False}
WARNS: Mapping[str, Any] = {"blocking": False, "severity": Severity.WARNING}

BAR_SESSIONS = Suite(
    name="bar_sessions",
    dataset="market/bars",
    key_columns=("session_date", "symbol", "timeframe"),
    expectations=(
        rarely_outside(
            "bars_are_fresh",
            "No newest bar is more than 30 minutes of trading late; nights, weekends and holidays do not count.",
            mostly=1,
            column="minutes_overdue",
            max_value=30,
        ),
        rarely_outside(
            "bars_come_in_usual_numbers",
            "A session has as many of its bars as usual, within a tenth of the median of the 20 sessions before.",
            mostly=1,
            column="count_drift",
            min_value=-0.1,
            max_value=0.1,
        ),
        rarely_outside(
            "bars_are_rarely_restated",
            "At most a quarter of a session's bars got a later version.",
            mostly=1,
            column="restated_share",
            max_value=0.25,
        ),
    ),
)

INSTRUMENTS = Suite(
    name="instruments",
    dataset="market/instruments",
    key_columns=("symbol",),
    expectations=(
        true_everywhere(
            "instruments_cover_the_universe", "Every symbol of the universe is known.", "is_known", **TELLS_ONLY
        ),
        true_everywhere(
            "instruments_are_active",
            "The broker or vendor lists every symbol of the universe as tradable, and none is delisted.",
            "is_active",
            **TELLS_ONLY,
        ),
        values_in(
            "instruments_are_priced_in_usd",
            "The currency is USD: the ledger has no other.",
            "currency",
            ["USD"],
            **TELLS_ONLY,
        ),
        Expectation(
            "instruments_have_unique_symbols",
            "No two symbols of today are spellings of one another, such as BRK.B and BRK-B.",
            "ExpectCompoundColumnsToBeUnique",
            {"column_list": ["spelling", "asset_class"]},
            **TELLS_ONLY,
        ),
    ),
)

CORPORATE_ACTIONS = Suite(
    name="corporate_actions",
    dataset="market/corporate_actions",
    key_columns=("symbol", "ex_date", "kind"),
    expectations=(
        true_everywhere(
            "actions_take_effect_on_sessions", "The ex-date is a trading session.", "is_on_session", **TELLS_ONLY
        ),
        Expectation(
            "split_ratios_are_plausible",
            "A split makes at most 100 shares of one, or one of 1,000.",
            "ExpectColumnValuesToBeBetween",
            {"column": "split_ratio", "min_value": 0.001, "max_value": 100},
            **TELLS_ONLY,
        ),
        Expectation(
            "actions_are_not_told_twice",
            "No action of the same kind and size came within the three days before.",
            "ExpectColumnValuesToBeBetween",
            {"column": "days_since_same", "min_value": 3, "strict_min": True},
            **WARNS,
        ),
        ordered(
            "dividends_are_paid_after_their_ex_date",
            "No dividend is paid before its ex-date.",
            "pay_date",
            "ex_date",
            **WARNS,
        ),
    ),
)

FINANCIALS = Suite(
    name="financials",
    dataset="market/financials",
    key_columns=("symbol", "statement", "item", "months", "period_end"),
    expectations=(
        ordered(
            "financials_count_after_their_period",
            "No amount was filed, seen or used before its period had ended.",
            "counts_on",
            "period_end",
            **TELLS_ONLY,
        ),
        true_everywhere("financials_have_finite_amounts", "Every amount is a number.", "is_finite", **TELLS_ONLY),
        true_everywhere(
            "financials_belong_to_known_instruments",
            "The symbol is a known instrument.",
            "is_known_symbol",
            **TELLS_ONLY,
        ),
        values_in("financials_are_in_usd", "Amounts are in USD, or count shares.", "currency", ["USD"], **WARNS),
    ),
)

FUNDAMENTALS = Suite(
    name="fundamentals",
    dataset="market/fundamentals",
    key_columns=("symbol", "topic", "item"),
    expectations=(
        true_everywhere(
            "fundamentals_belong_to_known_instruments",
            "The symbol is a known instrument.",
            "is_known_symbol",
            **TELLS_ONLY,
        ),
        true_everywhere("fundamentals_have_values", "Every fact has a text.", "has_value", **WARNS),
    ),
)

SUITES = (BARS, BAR_SESSIONS, INSTRUMENTS, CORPORATE_ACTIONS, FINANCIALS, FUNDAMENTALS)
