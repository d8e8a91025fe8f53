"""From targets to intents: which legs, how many shares, and names that say what is wanted and not how much."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_assets.domain.risk.intents import SizeRule, intent_id, intents_from_targets
from trading_assets.domain.risk.review import review
from trading_assets.domain.risk.verdicts import Intent, Outcome, Purpose
from trading_assets.domain.strategy.position_size import PositionSize, SizeMethod
from trading_assets.domain.strategy.targets import Target
from trading_assets.domain.values import Side

NAME: dict[str, Any] = {
    "account_id": "simulated",
    "strategy": "alpha",
    "strategy_version": "1+00000000",
    "decision_at": datetime(2012, 6, 1, 20, tzinfo=UTC),
    "symbol": "AAA",
    "side": Side.BUY,
    "purpose": Purpose.OPEN,
    "leg": 0,
}

TARGET = Target(
    strategy="alpha",
    strategy_version="1+00000000",
    symbol="AAA",
    decision_at=NAME["decision_at"],
    session_date=date(2012, 6, 1),
    target_weight=Decimal("0.05"),
)


@pytest.fixture(scope="session")
def legs(snapshot: Callable[..., Any], limits: Callable[..., Any]) -> Callable[..., list[tuple[Any, ...]]]:
    def wanted(weight: str, **account: Any) -> list[tuple[Any, ...]]:
        target = replace(TARGET, target_weight=Decimal(weight))
        intents = intents_from_targets([target], snapshot(**account), limits(), "simulated")
        return [(intent.leg, intent.purpose.value, intent.side.value, intent.qty) for intent in intents]

    return wanted


def held(qty: int | str) -> dict[str, Any]:
    return {"positions": {"AAA": qty}}


@pytest.mark.parametrize(
    ("weight", "account", "expected"),
    [
        ("0.05", {}, [(0, "open", "buy", 100)]),
        ("-0.05", {}, [(0, "open", "sell", 100)]),
        ("0.001", {}, [(0, "open", "buy", 2)]),
        ("0.0004", {}, []),
        ("0", {}, []),
        ("0.05", held(60), [(0, "increase", "buy", 40)]),
        ("0.05", held(61), []),
        ("0.05", held(100), []),
        ("0.05", held(139), []),
        ("0.05", held(140), [(0, "reduce", "sell", 40)]),
        ("-0.05", held(-60), [(0, "increase", "sell", 40)]),
        ("-0.05", held(-140), [(0, "reduce", "buy", 40)]),
        ("0", held(1), [(0, "close", "sell", 1)]),
        ("0", held(-1), [(0, "close", "buy", 1)]),
        ("0.0004", held(1), [(0, "close", "sell", 1)]),
        ("-0.05", held(10), [(0, "close", "sell", 10), (1, "open", "sell", 100)]),
        ("0.05", held(-10), [(0, "close", "buy", 10), (1, "open", "buy", 100)]),
        ("0.05", {"strategy_working_buys": {("alpha", "AAA"): 100}}, []),
        ("0", held(100) | {"strategy_working_sells": {("alpha", "AAA"): 100}}, []),
        ("0.05", {"positions": {"AAA": 100}, "strategy_positions": {("beta", "AAA"): 100}}, [(0, "open", "buy", 100)]),
        ("0", held("0.5"), []),
    ],
)
def test_intents_of_a_target_are_the_difference_to_what_the_strategy_holds(
    weight: str, account: Any, expected: Any, legs: Any
) -> None:
    assert legs(weight, **account) == expected


def test_rebalance_band_of_zero_trades_a_single_share(snapshot: Any, limits: Any) -> None:
    (intent,) = intents_from_targets([TARGET], snapshot(**held(99)), limits(rebalance_band=0), "simulated")
    assert (intent.purpose, intent.qty) == (Purpose.INCREASE, 1)


@pytest.mark.parametrize(
    "account",
    [{"reference_prices": {}}, {"reference_prices": {"AAA": "NaN"}}, {"equity_usd": "NaN"}, {"equity_usd": 0}],
)
@pytest.mark.parametrize(("qty", "purpose"), [(100, Purpose.INCREASE), (0, Purpose.OPEN)])
def test_target_that_cannot_be_sized_leaves_the_position_and_records_a_denial(
    account: Any, qty: int, purpose: Purpose, snapshot: Any, limits: Any
) -> None:
    book = snapshot(**account, **held(qty))
    (intent,) = intents_from_targets([TARGET], book, limits(), "simulated")
    assert (intent.purpose, intent.qty) == (purpose, 0)
    (verdict,) = review([intent], book, limits())
    assert verdict.outcome is Outcome.DENIED


@pytest.mark.parametrize("weight", ["NaN", "1.5", "-1.5"])
def test_target_with_an_impossible_weight_is_never_taken_for_flat(weight: str, legs: Any) -> None:
    ((_, purpose, _, qty),) = legs(weight, **held(100))
    assert (purpose, qty) == ("increase", 0)


def test_target_to_close_without_a_price_is_denied_and_recorded(snapshot: Any, limits: Any) -> None:
    book = snapshot(**held(100), reference_prices={})
    (intent,) = intents_from_targets([replace(TARGET, target_weight=Decimal(0))], book, limits(), "simulated")
    assert (intent.purpose, intent.qty) == (Purpose.CLOSE, 100)
    assert review([intent], book, limits())[0].outcome is Outcome.DENIED


def test_intent_carries_the_decision_it_came_from(snapshot: Any, limits: Any) -> None:
    (intent,) = intents_from_targets([TARGET], snapshot(), limits(), "simulated")
    assert intent == Intent(
        intent_id=intent_id(**NAME),
        account_id="simulated",
        strategy="alpha",
        strategy_version="1+00000000",
        symbol="AAA",
        side=Side.BUY,
        purpose=Purpose.OPEN,
        decision_at=TARGET.decision_at,
        session_date=TARGET.session_date,
        target_weight=TARGET.target_weight,
        qty=Decimal(100),
        sizing="fixed_fractional",
        sizing_inputs={
            "equity": "100000",
            "weight": "0.05",
            "price": "50",
            "wanted_qty": "100",
            "reason": "SIZED",
        },
    )


def test_intent_id_is_the_same_on_every_machine_and_in_every_version() -> None:
    assert intent_id(**NAME) == "610227fb40932929e5c0b03eb02dc18d6eb2aa36a28ab30c74001be9c1d708cd"
    eastern = NAME["decision_at"].astimezone(timezone(timedelta(hours=-4)))
    assert intent_id(**NAME | {"decision_at": eastern}) == intent_id(**NAME)


@pytest.mark.parametrize(
    "change",
    [
        {"account_id": "other"},
        {"strategy": "beta"},
        {"strategy_version": "1+00000001"},
        {"decision_at": datetime(2012, 6, 1, 19, tzinfo=UTC)},
        {"symbol": "BBB"},
        {"side": Side.SELL},
        {"purpose": Purpose.CLOSE},
        {"leg": 1},
    ],
    ids=lambda change: next(iter(change)),
)
def test_intent_id_depends_on_every_part(change: Any) -> None:
    assert intent_id(**NAME | change) != intent_id(**NAME)


def test_intent_id_does_not_depend_on_the_quantity(snapshot: Any, limits: Any) -> None:
    ids = {
        intents_from_targets([TARGET], snapshot(equity_usd=equity), limits(), "simulated")[0].intent_id
        for equity in (100_000, 200_000)
    }
    assert len(ids) == 1


def test_intent_id_of_a_naive_time_is_refused() -> None:
    with pytest.raises(ValueError, match="has no time zone"):
        intent_id(**NAME | {"decision_at": datetime(2012, 6, 1, 20)})  # noqa: DTZ001 - what is refused


@given(
    weight=st.decimals(-1, 1, places=4),
    qty=st.integers(-3_000, 3_000),
    price=st.decimals("0.01", 5_000, places=2),
)
def test_intents_when_filled_bring_the_strategy_to_its_target_or_stay_inside_the_band(
    weight: Decimal, qty: int, price: Decimal, snapshot: Any, limits: Any
) -> None:
    book = snapshot(**held(qty), reference_prices={"AAA": price})
    intents = intents_from_targets([replace(TARGET, target_weight=weight)], book, limits(), "simulated")
    reached = qty + sum(intent.side.sign * intent.qty for intent in intents)
    wanted = (abs(weight) * 100_000 // price).copy_sign(weight)
    assert all(intent.qty > 0 for intent in intents)
    assert reached == wanted or (not intents and qty * wanted > 0 and abs(wanted - qty) * price < 2_000)


@pytest.mark.parametrize(
    ("weight", "account", "expected"),
    [
        ("0.05", {}, []),
        ("0.10", held(100), []),
        ("0.01", held(100), [("reduce", "sell", 80)]),
        ("0", held(100), [("close", "sell", 100)]),
        ("-0.05", held(100), [("close", "sell", 100)]),
    ],
    ids=["opening", "enlarging", "reducing", "closing", "turning"],
)
def test_target_that_may_not_open_gives_only_intents_that_reduce(snapshot, limits, weight, account, expected):
    target = replace(TARGET, target_weight=Decimal(weight), may_open=False)
    if account:
        account = {"strategy_positions": {("alpha", "AAA"): 100}, **account}
    intents = intents_from_targets([target], snapshot(**account), limits(), "simulated")
    assert [(one.purpose.value, one.side.value, one.qty) for one in intents] == expected


# Other sizes than a share of equity ----------------------------------------------------------------

SIZES = {
    # 1 % of 100,000 over twice 1.25, over a stop 5 % below 50, a tenth over 0.32, half of 0.175, and before all trades.
    SizeMethod.ATR: 400,
    SizeMethod.FIXED_RISK: 400,
    SizeMethod.VOLATILITY_TARGET: 625,
    SizeMethod.KELLY: 175,
    SizeMethod.FIXED_FRACTIONAL: 100,
}
WON_AND_LOST = [Decimal("0.12")] * 11 + [Decimal("-0.10")] * 9


def sized(
    snapshot: Callable[..., Any], limits: Callable[..., Any], method: SizeMethod, capital: str = "1", **changes: Any
) -> list[Intent]:
    measured = {"atr_usd": Decimal("1.25"), "volatility": Decimal("0.32")}
    target = replace(TARGET, **(measured | changes))
    rule = SizeRule(PositionSize(method), Decimal(capital), stop_loss=Decimal("0.05"))
    account = replace(snapshot(), closed_trades={"alpha": WON_AND_LOST, "beta": [Decimal(-1)] * 20})
    return intents_from_targets([target], account, limits(), "simulated", {"alpha": rule})


@pytest.mark.parametrize("method", SIZES)
@pytest.mark.parametrize("sign", [1, -1])
def test_size_of_each_method_is_what_is_wanted_either_way(
    snapshot: Callable[..., Any], limits: Callable[..., Any], method: SizeMethod, sign: int
) -> None:
    (intent,) = sized(snapshot, limits, method, target_weight=TARGET.target_weight * sign)
    assert (intent.qty, intent.side) == (SIZES[method], Side.BUY if sign > 0 else Side.SELL)
    assert intent.sizing == method.value
    assert intent.sizing_inputs["wanted_qty"] == str(SIZES[method])
    assert intent.sizing_inputs["reason"] == "SIZED"
    assert intent.sizing_inputs["equity"] == "100000"


@pytest.mark.parametrize("method", sorted(set(SIZES) - {SizeMethod.FIXED_FRACTIONAL}))
def test_size_stays_within_the_capital_of_its_strategy(
    snapshot: Callable[..., Any], limits: Callable[..., Any], method: SizeMethod
) -> None:
    (intent,) = sized(snapshot, limits, method, capital="0.08")
    assert (intent.qty, intent.sizing_inputs["reason"]) == (160, "CAPITAL_CAPPED")


@pytest.mark.parametrize("method", SIZES)
def test_weight_of_zero_is_flat_by_every_method(
    snapshot: Callable[..., Any], limits: Callable[..., Any], method: SizeMethod
) -> None:
    assert sized(snapshot, limits, method, target_weight=Decimal(0)) == []


@pytest.mark.parametrize(
    ("method", "change", "reason"),
    [
        (SizeMethod.ATR, {"atr_usd": None}, "ATR_INVALID"),
        (SizeMethod.VOLATILITY_TARGET, {"volatility": None}, "VOLATILITY_INVALID"),
        (SizeMethod.KELLY, {"target_weight": Decimal("NaN")}, "WEIGHT_INVALID"),
    ],
)
def test_size_without_its_measure_is_an_intent_of_nothing_that_says_why(
    snapshot: Callable[..., Any], limits: Callable[..., Any], method: SizeMethod, change: dict[str, Any], reason: str
) -> None:
    (intent,) = sized(snapshot, limits, method, **change)
    assert (intent.qty, intent.sizing_inputs["reason"]) == (0, reason)


def test_legs_of_one_trade_are_a_group_unless_a_person_flattens_them(snapshot: Any, limits: Any) -> None:
    leg = replace(TARGET, leg_group="AAA/BBB")
    (intent,) = intents_from_targets([leg], snapshot(), limits(), "simulated")
    assert intent.group == "AAA/BBB"
    flattened = replace(leg, target_weight=Decimal(0), is_flatten=True)
    (intent,) = intents_from_targets([flattened], snapshot(**held(100)), limits(), "simulated")
    assert intent.group is None
