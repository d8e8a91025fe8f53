"""Every rule one tick below, at and above its limit; and the proof that no comparison of the catalogue is idle."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest

from trading_assets.domain.risk import rules as catalogue
from trading_assets.domain.risk.exposure import Projection
from trading_assets.domain.risk.rules import RULES, Rule
from trading_assets.domain.risk.verdicts import CheckResult, TradingState
from trading_assets.domain.values import ReasonCode, Side

BUY, SELL = {"side": Side.BUY}, {"side": Side.SELL}
REDUCING = {"trading_state": TradingState.REDUCING}


class Case(NamedTuple):
    """`allowed` is what a failed rule would let through: None denies the whole intent."""

    rule_id: str
    account: dict[str, Any]
    order: dict[str, Any]
    is_passed: bool
    allowed: int | None = None
    limits: Mapping[str, Any] = MappingProxyType({})


def latched(*breakers: str) -> dict[str, Any]:
    return {"tripped_breakers": frozenset(breakers)}


LONG = {"positions": {"AAA": 100}}
SHORT = {"positions": {"AAA": -100}}
SEVENTY = {"positions": {"BBB": 1_400}}
LOSS_STOP_NEW, LOSS_STOP_ALL = {"equity_usd": 98_000}, {"equity_usd": 95_000}
SHORTS = {"allow_short": True}

CASES = [
    Case("RC-01", {}, BUY, True),
    Case("RC-01", REDUCING, BUY, False, 0),
    Case("RC-01", REDUCING | LONG, BUY | {"qty": 1}, False, 0),
    Case("RC-01", REDUCING | LONG, SELL | {"qty": 99}, True),
    Case("RC-01", REDUCING | LONG, SELL | {"qty": 100}, True),
    Case("RC-01", REDUCING | LONG, SELL | {"qty": 101}, False, 100),
    Case("RC-01", REDUCING | LONG | {"working_sells": {"AAA": 40}}, SELL | {"qty": 60}, True),
    Case("RC-01", REDUCING | LONG | {"working_sells": {"AAA": 40}}, SELL | {"qty": 61}, False, 60),
    Case("RC-01", REDUCING | SHORT, BUY | {"qty": 100}, True),
    Case("RC-01", REDUCING | SHORT, BUY | {"qty": 101}, False, 100),
    Case("RC-01", REDUCING | SHORT | {"working_buys": {"AAA": 1}}, BUY | {"qty": 100}, False, 99),
    Case("RC-01", LONG | {"trading_state": TradingState.HALTED}, SELL, False, None),
    Case("RC-01", latched("drawdown"), BUY, False, 0),
    Case("RC-01", latched("daily_loss_stop_all"), BUY, False, 0),
    Case("RC-01", latched("of_a_later_version"), BUY, False, 0),
    Case("RC-01", latched("daily_loss"), BUY, True),
    Case("RC-03", {}, BUY, True),
    Case("RC-03", {"gates": {"AAA": "pending"}}, BUY, False),
    Case("RC-03", {"gates": {"AAA": "closed"}}, BUY, False),
    Case("RC-03", {"gates": {"BBB": "open"}}, BUY, False),
    Case("RC-10", {}, {"qty": 1}, True),
    Case("RC-10", {}, {"qty": "1.000000000"}, True),
    Case("RC-10", {}, {"qty": "1.0000000000"}, False),
    Case("RC-10", {}, {"qty": "1.5"}, False),
    Case("RC-10", {}, {"qty": 0}, False),
    Case("RC-10", {}, {"qty": -1}, False),
    Case("RC-10", {}, {"qty": "NaN"}, False),
    Case("RC-10", {}, {"qty": "Infinity"}, False),
    Case("RC-13", {}, {"qty": 9_999}, True),
    Case("RC-13", {}, {"qty": 10_000}, True),
    Case("RC-13", {}, {"qty": 10_001}, False, 10_000),
    Case("RC-14", {}, {"qty": 199}, True),
    Case("RC-14", {}, {"qty": 200}, True),
    Case("RC-14", {}, {"qty": 201}, False, 200),
    Case("RC-14", {"reference_prices": {"AAA": "49.99"}}, {"qty": 200}, True),
    Case("RC-14", {"reference_prices": {"AAA": "50.01"}}, {"qty": 200}, False, 199),
    Case("RC-14", SHORT, BUY | {"qty": 300}, True),
    Case("RC-14", SHORT, BUY | {"qty": 301}, False, 300),
    Case("RC-14", {"positions": {"AAA": 900}}, SELL | {"qty": 900}, True),
    Case("RC-17", {"cash_usd": "10200.01"}, BUY, True),
    Case("RC-17", {"cash_usd": "10200.00"}, BUY, True),
    Case("RC-17", {"cash_usd": "10199.99"}, BUY, False, 99),
    Case("RC-17", {"cash_usd": 4_000}, BUY, False, 0),
    Case("RC-17", {"cash_usd": -1} | LONG, SELL, True),
    Case("RC-17", {"cash_usd": 10_300, "working_buy_value_usd": 100}, BUY, True),
    Case("RC-17", {"cash_usd": 10_300, "working_buy_value_usd": "100.01"}, BUY, False, 99),
    Case("RC-17", {"cash_usd": 10_200} | LONG | {"working_sells": {"AAA": 100}}, BUY, True),
    Case("RC-17", {"cash_usd": 5_000} | SHORT, BUY | {"qty": 100}, True),
    Case("RC-17", {"cash_usd": 15_052} | SHORT, BUY | {"qty": 101}, True),
    Case("RC-17", {"cash_usd": "15051.99"} | SHORT, BUY | {"qty": 101}, False, 100),
    Case("RC-17", {"cash_usd": 10_150}, SELL, True),
    Case("RC-17", {"cash_usd": "10149.99"}, SELL, False, 99),
    Case("RC-17", {"cash_usd": 20_200, "positions": {"BBB": -100}}, BUY, True),
    Case("RC-17", {"cash_usd": "20199.99", "positions": {"BBB": -100}}, BUY, False, 99),
    Case("RC-17", {"cash_usd": 15_350, "working_sells": {"BBB": 100}}, BUY, True),
    Case("RC-17", {"cash_usd": "15349.99", "working_sells": {"BBB": 100}}, BUY, False, 99),
    Case("RC-18", LONG, SELL | {"qty": 99}, True),
    Case("RC-18", LONG, SELL | {"qty": 100}, True),
    Case("RC-18", LONG, SELL | {"qty": 101}, False, 100),
    Case("RC-18", LONG | {"strategy_working_sells": {("alpha", "AAA"): 1}}, SELL | {"qty": 99}, True),
    Case("RC-18", LONG | {"strategy_working_sells": {("alpha", "AAA"): 1}}, SELL | {"qty": 100}, False, 99),
    Case("RC-18", LONG | {"strategy_working_buys": {("alpha", "AAA"): 1}}, SELL | {"qty": 101}, False, 100),
    Case("RC-18", LONG | {"strategy_positions": {("beta", "AAA"): 100}}, SELL | {"qty": 1}, False, 0),
    Case("RC-18", {}, SELL, False, 0),
    Case("RC-18", {}, SELL, True, limits=SHORTS),
    Case("RC-18", {}, BUY, True),
    Case("RC-21", LONG, BUY | {"qty": 99}, True),
    Case("RC-21", LONG, BUY | {"qty": 100}, True),
    Case("RC-21", LONG, BUY | {"qty": 101}, False, 100),
    Case("RC-21", LONG | {"working_buys": {"AAA": 1}}, BUY | {"qty": 100}, False, 99),
    Case("RC-21", LONG | {"working_sells": {"AAA": 100}}, BUY | {"qty": 101}, False, 100),
    Case("RC-21", {"positions": {"AAA": 300}}, BUY | {"qty": 1}, False, 0),
    Case("RC-21", {"positions": {"AAA": 300}}, SELL | {"qty": 1}, True),
    Case("RC-21", LONG, SELL | {"qty": 300}, True),
    Case("RC-21", LONG, SELL | {"qty": 301}, False, 300),
    Case("RC-22", SEVENTY, BUY | {"qty": 199}, True),
    Case("RC-22", SEVENTY, BUY | {"qty": 200}, True),
    Case("RC-22", SEVENTY, BUY | {"qty": 201}, False, 200),
    Case("RC-22", SEVENTY | {"working_buys": {"BBB": 1}}, BUY | {"qty": 200}, False, 199),
    Case("RC-22", SEVENTY, SELL | {"qty": 201}, False, 200),
    Case("RC-22", {"positions": {"AAA": 100, "BBB": 1_600}}, SELL | {"qty": 199}, True),
    Case("RC-22", {"positions": {"AAA": 100, "BBB": 1_600}}, SELL | {"qty": 200}, True),
    Case("RC-22", {"positions": {"AAA": 100, "BBB": 1_600}}, SELL | {"qty": 201}, False, 200),
    Case("RC-22", {"positions": {"BBB": 1_600}}, BUY | {"qty": 1}, False, 0),
    Case("RC-22", {"positions": {"AAA": 100, "BBB": 1_400}}, BUY | {"qty": 100}, True),
    Case("RC-22", {"positions": {"AAA": 100, "BBB": 1_400}}, BUY | {"qty": 101}, False, 100),
    Case("RC-30", {"equity_usd": "98000.01"}, BUY, True),
    Case("RC-30", LOSS_STOP_NEW, BUY, False, 0),
    Case("RC-30", {"equity_usd": "97999.99"}, BUY, False, 0),
    Case("RC-30", LOSS_STOP_NEW | LONG, SELL | {"qty": 100}, True),
    Case("RC-30", LOSS_STOP_NEW | LONG, SELL | {"qty": 101}, False, 100),
    Case("RC-30", LOSS_STOP_ALL | LONG, SELL | {"qty": 100}, True),
    Case("RC-30", LOSS_STOP_ALL | LONG, SELL | {"qty": 101}, False, 100),
    Case("RC-30", latched("daily_loss"), BUY, False, 0),
    Case("RC-30", latched("daily_loss_stop_all"), BUY, False, 0),
    Case("RC-30", latched("drawdown"), BUY, True),
    Case("RC-31", {"equity_usd": "90000.01"}, BUY, True),
    Case("RC-31", {"equity_usd": 90_000}, BUY, False, 0),
    Case("RC-31", {"equity_usd": "89999.99"}, BUY, False, 0),
    Case("RC-31", {"equity_usd": 90_000} | LONG, SELL | {"qty": 100}, True),
    Case("RC-31", {"equity_usd": 90_000} | LONG, SELL | {"qty": 101}, False, 100),
    Case("RC-31", {"equity_usd": 110_000} | latched("drawdown"), BUY, False, 0),
    Case("RC-31", latched("daily_loss"), BUY, True),
]

Ask = Callable[[Rule, Case], CheckResult]


@pytest.fixture(scope="session")
def ask(snapshot: Callable[..., Any], intent: Callable[..., Any], limits: Callable[..., Any]) -> Ask:
    def answer(rule: Rule, case: Case) -> CheckResult:
        account = snapshot(**case.account)
        return rule.answer(intent(**case.order), account, limits(**case.limits), Projection(account))

    return answer


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.rule_id)
def test_rule_at_its_boundary_answers_exactly(case: Case, ask: Ask) -> None:
    rule = next(rule for rule in RULES if rule.rule_id == case.rule_id)
    result = ask(rule, case)
    assert (result.is_passed, result.allowed_qty) == (case.is_passed, case.allowed)
    assert result.rule_id == case.rule_id
    assert (result.reason_code is None) == case.is_passed
    assert result.reason_code not in (ReasonCode.CHECK_RAISED, ReasonCode.INPUT_MISSING)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.rule_id)
def test_rule_of_the_catalogue_has_a_passing_and_a_failing_boundary(rule: Rule) -> None:
    assert {case.is_passed for case in CASES if case.rule_id == rule.rule_id} == {True, False}


def test_daily_loss_at_stop_all_reports_the_tighter_limit(ask: Ask) -> None:
    rule = next(rule for rule in RULES if rule.rule_id == "RC-30")
    limits = [
        ask(rule, Case("RC-30", {"equity_usd": equity}, BUY, False)).limit for equity in ("95000.01", 95_000, 94_999)
    ]
    assert limits == [-0.02, -0.05, -0.05]
    assert ask(rule, Case("RC-30", latched("daily_loss_stop_all"), BUY, False)).limit == -0.05


SWAPS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.Eq: ast.NotEq,
    ast.In: ast.NotIn,
    ast.Is: ast.IsNot,
}


def comparisons() -> Iterator[tuple[int, str]]:
    tree = ast.parse(Path(catalogue.__file__).read_text())
    for number, node in enumerate(node for node in ast.walk(tree) if isinstance(node, ast.Compare)):
        yield number, ast.unparse(node)


def mutated_rules(number: int) -> tuple[Rule, ...]:
    """The catalogue with its `number`th comparison swapped for its neighbour or its opposite."""
    tree = ast.parse(Path(catalogue.__file__).read_text())
    node = [node for node in ast.walk(tree) if isinstance(node, ast.Compare)][number]
    node.ops = [SWAPS[type(operator)]() for operator in node.ops]
    namespace: dict[str, Any] = {"__name__": catalogue.__name__}
    exec(compile(tree, catalogue.__file__, "exec"), namespace)  # noqa: S102 - the project's own source, one token changed
    rules: tuple[Rule, ...] = namespace["RULES"]
    return rules


@pytest.mark.parametrize("mutation", comparisons(), ids=lambda mutation: f"{mutation[0]}: {mutation[1]}")
def test_comparison_of_a_rule_when_swapped_breaks_a_boundary(mutation: tuple[int, str], ask: Ask) -> None:
    mutants = {rule.rule_id: rule for rule in mutated_rules(mutation[0])}
    originals = {rule.rule_id: rule for rule in RULES}
    missing = Case("RC-10", {}, {"qty": None}, False)
    reported = Case("RC-30", LOSS_STOP_ALL, BUY, False)
    assert any(
        ask(mutants[case.rule_id], case) != ask(originals[case.rule_id], case) for case in [*CASES, missing, reported]
    )
