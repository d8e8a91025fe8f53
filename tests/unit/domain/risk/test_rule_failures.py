"""Fail closed: whatever a rule needs and does not get denies the intent, with a reason, and never stops the review."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from trading_assets.domain.risk.review import recheck, review
from trading_assets.domain.risk.rules.catalogue import RULES
from trading_assets.domain.risk.verdicts import Outcome, TradingState
from trading_assets.domain.values import ReasonCode, Side

NAN = Decimal("NaN")
ABSENT = (None, NAN, Decimal("Infinity"))
NOT_POSITIVE = (*ABSENT, Decimal(0), Decimal(-1))
NOT_UNSIGNED = (*ABSENT, Decimal(-1))
PRICES, EQUITY = ("reference_prices[AAA]", NOT_POSITIVE), ("equity_usd", NOT_POSITIVE)
QTY, POSITION = ("qty", NOT_POSITIVE), ("positions[AAA]", ABSENT)
WORKING = ("working_buys[AAA]", NOT_UNSIGNED)

REDUCING = {"trading_state": TradingState.REDUCING}

# Rule, the account and order in which it needs them, then each input with the values that count as missing.
NEEDS: list[tuple[str, dict[str, Any], dict[str, Any], list[tuple[str, tuple[Any, ...]]]]] = [
    ("RC-01a", {}, {}, [("trading_state", (None, "active"))]),
    ("RC-01b", REDUCING, {}, [("trading_state", (None, "active")), QTY, POSITION, WORKING]),
    ("RC-10", {}, {}, [("qty", ABSENT)]),
    ("RC-13", {}, {}, [QTY]),
    ("RC-14", {}, {}, [PRICES, EQUITY, QTY, POSITION, WORKING]),
    (
        "RC-17",
        {"working_sells": {"BBB": 1}},
        {},
        [
            PRICES,
            EQUITY,
            QTY,
            POSITION,
            WORKING,
            ("cash_usd", ABSENT),
            ("working_buy_value_usd", NOT_UNSIGNED),
            ("working_sells[BBB]", NOT_UNSIGNED),
            ("reference_prices[BBB]", NOT_POSITIVE[1:]),
        ],
    ),
    (
        "RC-18",
        {},
        {"side": Side.SELL},
        [QTY, ("strategy_positions[alpha]", ABSENT), ("strategy_working_sells[alpha]", NOT_UNSIGNED)],
    ),
    ("RC-21", {}, {}, [PRICES, EQUITY, QTY, POSITION, WORKING]),
    (
        "RC-22",
        {"positions": {"BBB": 1}},
        {},
        [
            PRICES,
            EQUITY,
            QTY,
            POSITION,
            WORKING,
            ("positions[BBB]", ABSENT),
            ("reference_prices[BBB]", NOT_POSITIVE[1:]),
        ],
    ),
    ("RC-22", {"positions": {"BBB": 1}, "reference_prices": {"AAA": 50}}, {}, [("marks[BBB]", NOT_POSITIVE)]),
    ("RC-38", {}, {}, [QTY]),
    ("RC-30", {}, {}, [EQUITY, ("start_equity_usd", NOT_POSITIVE)]),
    ("RC-31", {}, {}, [EQUITY, ("high_water_mark_usd", NOT_POSITIVE)]),
]

MARKET_NEEDS = [
    ("RC-16a", "max_order_adv", "average_volume_usd[AAA]"),
    ("RC-16b", "max_order_bar_volume", "bar_volume[AAA]"),
    ("RC-23b", "max_beta_exposure", "beta[AAA]"),
    ("RC-36", "max_strategy_exposure", "strategy_equity_usd[alpha]"),
    ("RC-39", "max_stress_loss", "beta[AAA]"),
]
# Net exposure needs prices alone; without a sector or a correlation a symbol counts as the worst that it may be.
NEEDS_NO_MARKET = {"RC-03", "RC-23a", "RC-24", "RC-25"}

CASES = [
    pytest.param(rule_id, account, order, needed, value, id=f"{rule_id}-{needed}-{value}")
    for rule_id, account, order, needs in NEEDS
    for needed, values in needs
    for value in values
]


def spoil(record: Any, needed: str, value: Any) -> Any:
    """`record` with one number replaced: `field` or `field[key]`, where alpha stands for its position in AAA."""
    field, _, key = needed.rstrip("]").partition("[")
    if not key:
        return replace(record, **{field: value})
    return replace(record, **{field: {**getattr(record, field), ("alpha", "AAA") if key == "alpha" else key: value}})


@pytest.mark.parametrize(("rule_id", "account", "order", "needed", "value"), CASES)
def test_rule_without_an_input_it_needs_denies_as_missing(
    rule_id: str, account: Any, order: Any, needed: str, value: Any, snapshot: Any, intent: Any, limits: Any
) -> None:
    book, wanted = snapshot(**account), intent(**order)
    if needed == "qty":
        wanted = spoil(wanted, needed, value)
    else:
        book = spoil(book, needed, value)
    (verdict,) = review([wanted], book, limits())
    (check,) = [check for check in verdict.checks if check.rule_id == rule_id]
    assert verdict.outcome is Outcome.DENIED
    assert verdict.approved_qty == 0
    assert (check.is_passed, check.reason_code, check.allowed_qty) == (False, ReasonCode.INPUT_MISSING, None)
    assert check.inputs["missing"] == needed.replace("alpha", "('alpha', 'AAA')")


@pytest.mark.parametrize(("rule_id", "limit", "missing"), MARKET_NEEDS)
def test_rule_without_the_market_it_needs_denies_where_its_limit_is_set(
    rule_id: str, limit: str, missing: str, snapshot: Any, intent: Any, limits: Any
) -> None:
    assert review([intent()], snapshot(), limits())[0].outcome is Outcome.APPROVED
    (verdict,) = review([intent()], snapshot(), limits(**{limit: "0.5"}))
    (check,) = [check for check in verdict.checks if not check.is_passed]
    assert (check.rule_id, check.reason_code) == (rule_id, ReasonCode.INPUT_MISSING)
    assert check.inputs["missing"] == missing


def test_rule_whose_limit_is_not_set_passes_and_says_so(snapshot: Any, intent: Any, limits: Any) -> None:
    (verdict,) = review([intent()], snapshot(), limits())
    (check,) = [check for check in verdict.checks if check.rule_id == "RC-24"]
    assert (check.is_passed, check.value, check.limit) == (True, None, None)
    assert check.inputs == {"max_sector_exposure": "not limited"}


def test_rule_of_the_catalogue_is_listed_with_its_needs() -> None:
    # RC-03 has no missing input: an absent gate is a closed gate, which its boundaries show.
    listed = {rule_id for rule_id, *_ in (*NEEDS, *MARKET_NEEDS)} | NEEDS_NO_MARKET
    assert listed == {rule.rule_id for rule in RULES}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.rule_id)
def test_rule_that_raises_answers_with_the_error(rule: Any) -> None:
    result = rule.answer(object())
    assert (result.rule_id, result.is_passed, result.reason_code) == (rule.rule_id, False, ReasonCode.CHECK_RAISED)
    assert list(result.inputs) == ["error"]


@pytest.mark.parametrize("broken", RULES, ids=lambda rule: rule.rule_id)
def test_review_with_a_raising_rule_denies_and_still_asks_all_others(
    broken: Any, snapshot: Any, intent: Any, limits: Any
) -> None:
    def explode() -> Any:
        raise ZeroDivisionError("on purpose")

    rules = [replace(rule, function=explode) if rule is broken else rule for rule in RULES]
    (verdict,) = review([intent()], snapshot(), limits(), rules)
    assert verdict.outcome is Outcome.DENIED
    assert verdict.reason_codes == (ReasonCode.CHECK_RAISED,)
    assert [check.rule_id for check in verdict.checks] == [rule.rule_id for rule in RULES]


def test_review_with_everything_missing_lists_every_reason_and_stores_no_nan(
    snapshot: Callable[..., Any], intent: Any, limits: Any
) -> None:
    book = snapshot(equity_usd=NAN, reference_prices={}, gates={}, trading_state=TradingState.HALTED)
    (verdict,) = review([intent(qty="1.5")], book, limits())
    assert verdict.reason_codes == (
        ReasonCode.TRADING_STATE_HALTED,
        ReasonCode.QUALITY_GATE_CLOSED,
        ReasonCode.QUANTITY_INVALID,
        ReasonCode.INPUT_MISSING,
    )
    assert (verdict.reference_price, verdict.equity_usd) == (None, None)


@pytest.mark.parametrize(
    ("changes", "rule_id"),
    [
        ({"trading_state": TradingState.HALTED}, "RC-01a"),
        ({"gates": {"AAA": "pending"}}, "RC-03"),
        ({"cash_usd": "10199.99"}, "RC-17"),
        ({"equity_usd": 98_000, "high_water_mark_usd": 98_000}, "RC-30"),
        ({"high_water_mark_usd": 120_000}, "RC-31"),
    ],
)
def test_recheck_after_the_account_changed_fails_that_rule_only(
    changes: Any, rule_id: str, snapshot: Any, intent: Any, limits: Any
) -> None:
    checks = recheck(intent(qty=500), Decimal(100), snapshot(**changes), limits())
    assert [check.rule_id for check in checks] == ["RC-01a", "RC-01b", "RC-03", "RC-17", "RC-30", "RC-31"]
    assert [check.rule_id for check in checks if not check.is_passed] == [rule_id]


def test_recheck_of_an_unchanged_account_passes_at_the_approved_quantity(
    snapshot: Any, intent: Any, limits: Any
) -> None:
    assert all(check.is_passed for check in recheck(intent(qty=500), Decimal(100), snapshot(), limits()))
