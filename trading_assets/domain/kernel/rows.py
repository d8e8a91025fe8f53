"""Which rows of the catalogue the compiled loop asks, in its order, and what their answers are in its log."""

from __future__ import annotations

from trading_assets.domain.risk.limits import RiskLimits
from trading_assets.domain.risk.rules.catalogue import RULES
from trading_assets.domain.values import ReasonCode

(
    NOT_HALTED,
    ONLY_CLOSING,
    QUALITY_GATE,
    SHORT_SALE_RESTRICTION,
    WHOLE_QUANTITY,
    STOP_SIDE,
    ORDER_QUANTITY,
    ORDER_NOTIONAL,
    BUYING_POWER,
    SHORT_SALE,
    BORROWED_SHARES,
    POSITION,
    GROSS_EXPOSURE,
    DAILY_LOSS_STOP,
    DRAWDOWN_STOP,
    MAINTENANCE,
) = range(16)
MISSING = 16
"""Bit row of REASONS: the rule failed; bit MISSING + row: a number that it needs is missing."""

RULE_IDS = (
    "RC-01a",
    "RC-01b",
    "RC-03",
    "RC-09b",
    "RC-10",
    "RC-11b",
    "RC-13",
    "RC-14",
    "RC-17",
    "RC-18",
    "RC-18b",
    "RC-21",
    "RC-22",
    "RC-30",
    "RC-31",
    "RC-35",
)
PASSED = frozenset(
    {
        *("RC-02", "RC-04a", "RC-05a", "RC-05b", "RC-06", "RC-07a", "RC-07b", "RC-07c", "RC-08", "RC-09"),
        *("RC-11a", "RC-12", "RC-15a", "RC-15b", "RC-15c", "RC-19", "RC-20", "RC-29a", "RC-29b", "RC-29c"),
        *("RC-32", "RC-33", "RC-34", "RC-37", "RC-38", "RC-40"),
    }
)
"""Rules that deny no market order of a simulated account at the close that it was decided on: it is new, its price, its
hour and its broker are no question, and convert.py refuses all else that they ask about (standings of symbols other
than ordinary ones, breakers and protections, groups of orders, equity at which day trades are counted)."""
LEAST_STEP_S = 900
"""Seconds between two moments, at least."""
OF_ID = {rule.rule_id: rule for rule in RULES}


def unasked(limits: RiskLimits) -> list[str]:
    """The rules of the catalogue that could deny something under `limits`, and that the compiled loop does not ask."""
    could_deny = {
        "RC-05a": limits.cut_off_margin_s >= LEAST_STEP_S,
        "RC-19": limits.duplicate_window_s >= LEAST_STEP_S,
        "RC-20": not limits.allow_self_cross,
    }
    return [
        rule.rule_id
        for rule in RULES
        if rule.rule_id not in RULE_IDS
        and could_deny.get(rule.rule_id, rule.rule_id not in PASSED)
        and all(getattr(limits, key) is not None for key in rule.limit_keys)
    ]


def reason_codes(reasons: int) -> tuple[ReasonCode, ...]:
    """The reasons of a verdict, each once, in the order of the catalogue."""
    codes: dict[ReasonCode, None] = {}
    for row, rule_id in enumerate(RULE_IDS):
        if reasons >> row & 1:
            codes[OF_ID[rule_id].reason_code] = None
        if reasons >> (MISSING + row) & 1:
            codes[ReasonCode.INPUT_MISSING] = None
    return tuple(codes)
