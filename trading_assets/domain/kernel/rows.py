"""Which rows of the catalogue the compiled loop asks, in its order, and what their answers are in its log."""

from __future__ import annotations

from trading_assets.domain.risk.limits import RiskLimits
from trading_assets.domain.risk.rules.catalogue import RULES
from trading_assets.domain.values import ReasonCode

(
    NOT_HALTED,
    ONLY_CLOSING,
    QUALITY_GATE,
    WHOLE_QUANTITY,
    ORDER_QUANTITY,
    ORDER_NOTIONAL,
    BUYING_POWER,
    SHORT_SALE,
    POSITION,
    GROSS_EXPOSURE,
    DAILY_LOSS_STOP,
    DRAWDOWN_STOP,
    ROWS,
) = range(13)
MISSING = 16
"""Bit row of INTENT_REASONS: the rule failed; bit MISSING + row: a number that it needs is missing."""

RULE_IDS = (
    "RC-01a",
    "RC-01b",
    "RC-03",
    "RC-10",
    "RC-13",
    "RC-14",
    "RC-17",
    "RC-18",
    "RC-21",
    "RC-22",
    "RC-30",
    "RC-31",
)
OF_ID = {rule.rule_id: rule for rule in RULES}


def unasked(limits: RiskLimits) -> list[str]:
    """The rules of the catalogue that could deny something under `limits`, and that the compiled loop does not ask."""
    return [
        rule.rule_id
        for rule in RULES
        if rule.rule_id not in RULE_IDS and all(getattr(limits, key) is not None for key in rule.limit_keys)
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
