"""What the rules say of whole accounts: positions, working orders, strategies and breakers find their way to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest

from trading_assets.domain.risk.case import Case, Standing
from trading_assets.domain.risk.exposure import Projection
from trading_assets.domain.risk.rules.catalogue import RULES
from trading_assets.domain.risk.standings import Condition, Span, Standings, always_tradable
from trading_assets.domain.risk.verdicts import CheckResult, TradingState
from trading_assets.domain.values import ReasonCode, Side

BUY, SELL = {"side": Side.BUY}, {"side": Side.SELL}
REDUCING = {"trading_state": TradingState.REDUCING}


class Example(NamedTuple):
    """`allowed`: what a failed rule would let through."""

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
NOT_LENT = {
    "day": {"standings": Standings([*always_tradable(["AAA"]).spans, Span("AAA", Condition.NOT_SHORTABLE)])},
}

EXAMPLES = [
    Example("RC-01b", {}, BUY, True),
    Example("RC-01b", REDUCING, BUY, False, 0),
    Example("RC-01b", REDUCING | LONG, BUY | {"qty": 1}, False, 0),
    Example("RC-01b", REDUCING | LONG, SELL | {"qty": 99}, True),
    Example("RC-01b", REDUCING | LONG, SELL | {"qty": 100}, True),
    Example("RC-01b", REDUCING | LONG, SELL | {"qty": 101}, False, 100),
    Example("RC-01b", REDUCING | LONG | {"working_sells": {"AAA": 40}}, SELL | {"qty": 60}, True),
    Example("RC-01b", REDUCING | LONG | {"working_sells": {"AAA": 40}}, SELL | {"qty": 61}, False, 60),
    Example("RC-01b", REDUCING | SHORT, BUY | {"qty": 100}, True),
    Example("RC-01b", REDUCING | SHORT, BUY | {"qty": 101}, False, 100),
    Example("RC-01b", REDUCING | SHORT | {"working_buys": {"AAA": 1}}, BUY | {"qty": 100}, False, 99),
    Example("RC-01a", LONG | {"trading_state": TradingState.HALTED}, SELL, False, 0),
    Example("RC-01b", latched("drawdown"), BUY, False, 0),
    Example("RC-01b", latched("daily_loss_stop_all"), BUY, False, 0),
    Example("RC-01b", latched("of_a_later_version"), BUY, False, 0),
    Example("RC-01b", latched("daily_loss"), BUY, True),
    Example("RC-03", {}, BUY, True),
    Example("RC-03", {"gates": {"AAA": "pending"}}, BUY, False, 0),
    Example("RC-03", {"gates": {"AAA": "closed"}}, BUY, False, 0),
    Example("RC-03", {"gates": {"AAA": "of a later version"}}, BUY, False, 0),
    Example("RC-03", {"gates": {"BBB": "open"}}, BUY, False, 0),
    Example("RC-10", {}, {"qty": 1}, True),
    Example("RC-10", {}, {"qty": "1.000000000"}, True),
    Example("RC-10", {}, {"qty": "1.0000000000"}, False, 0),
    Example("RC-10", {}, {"qty": "1.5"}, False, 0),
    Example("RC-10", {}, {"qty": 0}, False, 0),
    Example("RC-10", {}, {"qty": -1}, False, 0),
    Example("RC-13", {}, {"qty": 9_999}, True),
    Example("RC-13", {}, {"qty": 10_000}, True),
    Example("RC-13", {}, {"qty": 10_001}, False, 10_000),
    Example("RC-14", {}, {"qty": 199}, True),
    Example("RC-14", {}, {"qty": 200}, True),
    Example("RC-14", {}, {"qty": 201}, False, 200),
    Example("RC-14", {"reference_prices": {"AAA": "49.99"}}, {"qty": 200}, True),
    Example("RC-14", {"reference_prices": {"AAA": "50.01"}}, {"qty": 200}, False, 199),
    Example("RC-14", SHORT, BUY | {"qty": 300}, True),
    Example("RC-14", SHORT, BUY | {"qty": 301}, False, 300),
    Example("RC-14", {"positions": {"AAA": 900}}, SELL | {"qty": 900}, True),
    Example("RC-17", {"cash_usd": "10200.01"}, BUY, True),
    Example("RC-17", {"cash_usd": "10200.00"}, BUY, True),
    Example("RC-17", {"cash_usd": "10199.99"}, BUY, False, 99),
    Example("RC-17", {"cash_usd": 4_000}, BUY, False, 0),
    Example("RC-17", {"cash_usd": -1} | LONG, SELL, True),
    Example("RC-17", {"cash_usd": 10_300, "working_buy_value_usd": 100}, BUY, True),
    Example("RC-17", {"cash_usd": 10_300, "working_buy_value_usd": "100.01"}, BUY, False, 99),
    Example("RC-17", {"cash_usd": 10_200} | LONG | {"working_sells": {"AAA": 100}}, BUY, True),
    Example("RC-17", {"cash_usd": 5_000} | SHORT, BUY | {"qty": 100}, True),
    Example("RC-17", {"cash_usd": 15_052} | SHORT, BUY | {"qty": 101}, True),
    Example("RC-17", {"cash_usd": "15051.99"} | SHORT, BUY | {"qty": 101}, False, 100),
    Example("RC-17", {"cash_usd": 10_150}, SELL, True),
    Example("RC-17", {"cash_usd": "10149.99"}, SELL, False, 99),
    Example("RC-17", {"cash_usd": 20_200, "positions": {"BBB": -100}}, BUY, True),
    Example("RC-17", {"cash_usd": "20199.99", "positions": {"BBB": -100}}, BUY, False, 99),
    Example("RC-17", {"cash_usd": 15_350, "working_sells": {"BBB": 100}}, BUY, True),
    Example("RC-17", {"cash_usd": "15349.99", "working_sells": {"BBB": 100}}, BUY, False, 99),
    Example("RC-18", LONG, SELL | {"qty": 99}, True),
    Example("RC-18", LONG, SELL | {"qty": 100}, True),
    Example("RC-18", LONG, SELL | {"qty": 101}, False, 100),
    Example("RC-18", LONG | {"strategy_working_sells": {("alpha", "AAA"): 1}}, SELL | {"qty": 99}, True),
    Example("RC-18", LONG | {"strategy_working_sells": {("alpha", "AAA"): 1}}, SELL | {"qty": 100}, False, 99),
    Example("RC-18", LONG | {"strategy_working_buys": {("alpha", "AAA"): 1}}, SELL | {"qty": 101}, False, 100),
    Example("RC-18", LONG | {"strategy_positions": {("beta", "AAA"): 100}}, SELL | {"qty": 1}, False, 0),
    Example("RC-18", {}, SELL, False, 0),
    Example("RC-18", {}, SELL, True, limits=SHORTS),
    Example("RC-18", {}, BUY, True),
    Example("RC-18b", {}, SELL, True, limits=SHORTS),
    Example("RC-18b", NOT_LENT, SELL, True),
    Example("RC-18b", NOT_LENT, BUY, True, limits=SHORTS),
    Example("RC-18b", NOT_LENT, SELL, False, 0, SHORTS),
    Example("RC-18b", NOT_LENT | LONG, SELL | {"qty": 100}, True, limits=SHORTS),
    Example("RC-18b", NOT_LENT | LONG, SELL | {"qty": 101}, False, 100, SHORTS),
    Example("RC-18b", NOT_LENT | LONG | {"working_sells": {"AAA": 1}}, SELL | {"qty": 100}, False, 99, SHORTS),
    Example("RC-18b", NOT_LENT | SHORT, SELL | {"qty": 1}, False, 0, SHORTS),
    Example("RC-18b", NOT_LENT | SHORT, BUY | {"qty": 100}, True, limits=SHORTS),
    Example("RC-21", LONG, BUY | {"qty": 99}, True),
    Example("RC-21", LONG, BUY | {"qty": 100}, True),
    Example("RC-21", LONG, BUY | {"qty": 101}, False, 100),
    Example("RC-21", LONG | {"working_buys": {"AAA": 1}}, BUY | {"qty": 100}, False, 99),
    Example("RC-21", LONG | {"working_sells": {"AAA": 100}}, BUY | {"qty": 101}, False, 100),
    Example("RC-21", {"positions": {"AAA": 300}}, BUY | {"qty": 1}, False, 0),
    Example("RC-21", {"positions": {"AAA": 300}}, SELL | {"qty": 1}, True),
    Example("RC-21", LONG, SELL | {"qty": 300}, True),
    Example("RC-21", LONG, SELL | {"qty": 301}, False, 300),
    Example("RC-22", SEVENTY, BUY | {"qty": 199}, True),
    Example("RC-22", SEVENTY, BUY | {"qty": 200}, True),
    Example("RC-22", SEVENTY, BUY | {"qty": 201}, False, 200),
    Example("RC-22", SEVENTY | {"working_buys": {"BBB": 1}}, BUY | {"qty": 200}, False, 199),
    Example("RC-22", SEVENTY, SELL | {"qty": 201}, False, 200),
    Example("RC-22", {"positions": {"AAA": 100, "BBB": 1_600}}, SELL | {"qty": 199}, True),
    Example("RC-22", {"positions": {"AAA": 100, "BBB": 1_600}}, SELL | {"qty": 200}, True),
    Example("RC-22", {"positions": {"AAA": 100, "BBB": 1_600}}, SELL | {"qty": 201}, False, 200),
    Example("RC-22", {"positions": {"BBB": 1_600}}, BUY | {"qty": 1}, False, 0),
    Example("RC-22", {"positions": {"AAA": 100, "BBB": 1_400}}, BUY | {"qty": 100}, True),
    Example("RC-22", {"positions": {"AAA": 100, "BBB": 1_400}}, BUY | {"qty": 101}, False, 100),
    Example("RC-30", {"equity_usd": "98000.01"}, BUY, True),
    Example("RC-30", LOSS_STOP_NEW, BUY, False, 0),
    Example("RC-30", {"equity_usd": "97999.99"}, BUY, False, 0),
    Example("RC-30", LOSS_STOP_NEW | LONG, SELL | {"qty": 100}, True),
    Example("RC-30", LOSS_STOP_NEW | LONG, SELL | {"qty": 101}, False, 100),
    Example("RC-30", LOSS_STOP_ALL | LONG, SELL | {"qty": 100}, True),
    Example("RC-30", LOSS_STOP_ALL | LONG, SELL | {"qty": 101}, False, 100),
    Example("RC-30", latched("daily_loss"), BUY, False, 0),
    Example("RC-30", latched("daily_loss_stop_all"), BUY, False, 0),
    Example("RC-30", latched("drawdown"), BUY, True),
    Example("RC-31", {"equity_usd": "90000.01"}, BUY, True),
    Example("RC-31", {"equity_usd": 90_000}, BUY, False, 0),
    Example("RC-31", {"equity_usd": "89999.99"}, BUY, False, 0),
    Example("RC-31", {"equity_usd": 90_000} | LONG, SELL | {"qty": 100}, True),
    Example("RC-31", {"equity_usd": 90_000} | LONG, SELL | {"qty": 101}, False, 100),
    Example("RC-31", {"equity_usd": 110_000} | latched("drawdown"), BUY, False, 0),
    Example("RC-31", latched("daily_loss"), BUY, True),
    Example("RC-40", {"day": {"link": {}}}, BUY, True),
    Example("RC-40", {"day": {"link": {"venue": "alpaca-live"}}}, BUY, False, 0),
    Example("RC-40", {"day": {"link": {"account_number": "PA1235"}}}, BUY, False, 0),
    Example("RC-40", {"day": {"link": {}, "configured_number": None}}, BUY, False, 0),
    Example("RC-40", {"day": {"link": {}, "configured_broker": "alpaca-live"}}, BUY, False, 0),
]

RULE_OF = {rule.rule_id: rule for rule in RULES}
Ask = Callable[[Example], CheckResult]


@pytest.fixture(scope="session")
def ask(snapshot: Callable[..., Any], intent: Callable[..., Any], limits: Callable[..., Any]) -> Ask:
    def answer(example: Example) -> CheckResult:
        account = snapshot(**example.account)
        standing = Standing(account, limits(**example.limits))
        return RULE_OF[example.rule_id].answer(Case(intent(**example.order), standing, Projection(account)))

    return answer


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.rule_id)
def test_rule_on_an_account_answers_exactly(example: Example, ask: Ask) -> None:
    result = ask(example)
    assert (result.is_passed, result.allowed_qty) == (example.is_passed, example.allowed)
    assert result.rule_id == example.rule_id
    assert (result.reason_code is None) == example.is_passed
    assert result.reason_code not in (ReasonCode.CHECK_RAISED, ReasonCode.INPUT_MISSING)


def test_daily_loss_at_stop_all_reports_the_tighter_limit(ask: Ask) -> None:
    limits = [
        ask(Example("RC-30", {"equity_usd": equity}, BUY, False)).limit for equity in ("95000.01", 95_000, 94_999)
    ]
    assert limits == [-0.02, -0.05, -0.05]
    assert ask(Example("RC-30", latched("daily_loss_stop_all"), BUY, False)).limit == -0.05
