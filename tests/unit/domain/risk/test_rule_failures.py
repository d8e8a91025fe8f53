"""Fail closed: whatever a rule needs and does not get denies the intent, with a reason, and never stops the review."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from trading_assets.domain.risk.market_view import NOTHING_KNOWN
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
AT_BROKER = {"day": {"link": {}}}
OF_THE_DAY = [
    "RC-02", "RC-04a", "RC-05a", "RC-05b", "RC-06", "RC-07a", "RC-07b", "RC-07c", "RC-08", "RC-09", "RC-11a",
    "RC-11b", "RC-12", "RC-15a", "RC-15b", "RC-15c", "RC-18b", "RC-20", "RC-29a", "RC-29b", "RC-29c", "RC-34",
    "RC-37", "RC-40",
]  # fmt: skip
"""Rules that need the circumstances of the review."""

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
    *((rule_id, {}, {}, [("circumstances", (None,))]) for rule_id in OF_THE_DAY),
    ("RC-05b", AT_BROKER, {}, [("circumstances.link.clock_skew_ms", (None,))]),
    (
        "RC-15a",
        {"day": {"terms": {"limit_usd": Decimal(50)}}},
        {},
        [PRICES, ("circumstances.terms.limit_usd", NOT_POSITIVE[1:])],
    ),
    (
        "RC-15b",
        {"day": {"terms": {"stop_usd": Decimal(60)}}},
        {},
        [PRICES, ("circumstances.terms.stop_usd", NOT_POSITIVE[1:])],
    ),
    ("RC-15c", AT_BROKER, {}, [("circumstances.link.quotes", ({},))]),
    ("RC-29a", AT_BROKER, {}, [("circumstances.link.heartbeat_at", (None,))]),
    ("RC-29b", AT_BROKER, {}, [("circumstances.link.reconciled_at", (None,))]),
    ("RC-29c", AT_BROKER, {}, [("circumstances.link.connected_at", (None,))]),
    ("RC-40", AT_BROKER, {}, [("circumstances.link.venue", (None,)), ("circumstances.link.account_number", (None,))]),
    ("RC-19", {}, {}, [("qty", ABSENT)]),
    ("RC-34", {}, {}, [("start_equity_usd", NOT_POSITIVE)]),
    ("RC-32", {}, {}, [QTY]),
    ("RC-33", {}, {}, [QTY]),
    ("RC-35", {}, {}, [PRICES, EQUITY, QTY, POSITION, WORKING]),
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
NEEDS_NO_MARKET = {"RC-03", "RC-04b", "RC-23a", "RC-24", "RC-25"}
NEEDS_PRICES = {"RC-09b"}

COUNTED = [
    ("RC-26a", "max_open_orders_symbol"),
    ("RC-26b", "max_open_orders"),
    ("RC-27a", "max_symbol_orders_second"),
    ("RC-27b", "max_strategy_orders_minute"),
    ("RC-27c", "max_orders_minute"),
    ("RC-28a", "max_session_orders"),
    ("RC-28b", "max_session_turnover"),
    ("RC-28c", "max_session_reversals"),
]

CASES = [
    pytest.param(rule_id, account, order, needed, value, id=f"{rule_id}-{needed}-{value}")
    for rule_id, account, order, needs in NEEDS
    for needed, values in needs
    for value in values
]


def spoil(record: Any, needed: str, value: Any) -> Any:
    """`record` with one number replaced: `field`, `part.field` or `field[key]`; alpha is its position in AAA."""
    outer, dot, inner = needed.partition(".")
    if dot:
        return replace(record, **{outer: spoil(getattr(record, outer), inner, value)})
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
    missing = needed.rpartition(".")[2].replace("alpha", "('alpha', 'AAA')")
    assert check.inputs["missing"] == (f"{missing}[AAA]" if missing == "quotes" else missing)


@pytest.mark.parametrize(("rule_id", "limit", "missing"), MARKET_NEEDS)
def test_rule_without_the_market_it_needs_denies_where_its_limit_is_set(
    rule_id: str, limit: str, missing: str, snapshot: Any, intent: Any, limits: Any
) -> None:
    assert review([intent()], snapshot(), limits())[0].outcome is Outcome.APPROVED
    (verdict,) = review([intent()], snapshot(), limits(**{limit: "0.5"}))
    (check,) = [check for check in verdict.checks if not check.is_passed]
    assert (check.rule_id, check.reason_code) == (rule_id, ReasonCode.INPUT_MISSING)
    assert check.inputs["missing"] == missing


def test_short_sale_in_what_nobody_knows_the_prices_of_is_denied_and_nothing_else(
    snapshot: Any, intent: Any, limits: Any
) -> None:
    def reviewed(allow_short: bool = True, **order: Any) -> Any:
        book = snapshot(positions={"AAA": 100}, market=NOTHING_KNOWN)
        return review([intent(**order)], book, limits(allow_short=allow_short))[0]

    short = reviewed(side=Side.SELL, qty=101)
    (check,) = [check for check in short.checks if not check.is_passed]
    assert (short.outcome, check.rule_id, check.inputs["missing"]) == (Outcome.DENIED, "RC-09b", "price_fall[AAA]")
    assert reviewed(side=Side.SELL, qty=100).outcome is Outcome.APPROVED
    assert reviewed(side=Side.BUY, qty=1).outcome is Outcome.APPROVED
    assert reviewed(side=Side.SELL, qty=101, allow_short=False).reason_codes == (ReasonCode.SHORT_SALE_DISABLED,)


@pytest.mark.parametrize(("rule_id", "limit"), COUNTED)
def test_rule_that_counts_orders_denies_without_a_quantity_where_its_limit_is_set(
    rule_id: str, limit: str, snapshot: Any, intent: Any, limits: Any
) -> None:
    (verdict,) = review([replace(intent(), qty=NAN)], snapshot(), limits(**{limit: 5}))
    (check,) = [check for check in verdict.checks if check.rule_id == rule_id]
    assert (check.reason_code, check.inputs["missing"]) == (ReasonCode.INPUT_MISSING, "qty")


def test_age_of_the_reference_price_is_missing_input_where_nothing_is_known_of_the_moment(
    snapshot: Any, intent: Any, limits: Any
) -> None:
    (verdict,) = review([intent()], snapshot(circumstances=None), limits(max_reference_age_s=60))
    (check,) = [check for check in verdict.checks if check.rule_id == "RC-04b"]
    assert (check.reason_code, check.inputs["missing"]) == (ReasonCode.INPUT_MISSING, "circumstances")


def test_rule_whose_limit_is_not_set_passes_and_says_so(snapshot: Any, intent: Any, limits: Any) -> None:
    (verdict,) = review([intent()], snapshot(), limits())
    (check,) = [check for check in verdict.checks if check.rule_id == "RC-24"]
    assert (check.is_passed, check.value, check.limit) == (True, None, None)
    assert check.inputs == {"max_sector_exposure": "not limited"}


def test_rule_of_the_catalogue_is_listed_with_its_needs() -> None:
    # RC-03 has no missing input: an absent gate is a closed gate, which its boundaries show.
    listed = {rule_id for rule_id, *_ in (*NEEDS, *MARKET_NEEDS, *COUNTED)} | NEEDS_NO_MARKET | NEEDS_PRICES
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


RECHECKED = [
    "RC-01a", "RC-01b", "RC-02", "RC-03", "RC-04a", "RC-04b", "RC-05a", "RC-05b", "RC-07a", "RC-07b", "RC-07c",
    "RC-08", "RC-09", "RC-12", "RC-17", "RC-18b", "RC-20", "RC-26a", "RC-26b", "RC-27a", "RC-27b", "RC-27c", "RC-28a",
    "RC-28b", "RC-28c", "RC-29a", "RC-29b", "RC-29c", "RC-30", "RC-31", "RC-32", "RC-33", "RC-37", "RC-40",
]  # fmt: skip


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
    assert [check.rule_id for check in checks] == RECHECKED
    assert [check.rule_id for check in checks if not check.is_passed] == [rule_id]


def test_recheck_of_an_unchanged_account_passes_at_the_approved_quantity(
    snapshot: Any, intent: Any, limits: Any
) -> None:
    assert all(check.is_passed for check in recheck(intent(qty=500), Decimal(100), snapshot(), limits()))
