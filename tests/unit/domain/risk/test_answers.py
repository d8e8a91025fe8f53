"""Rules asked together answer as each of them does alone, whatever was kept from the intents before."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_assets.domain.risk.answers import Panel, plan_of
from trading_assets.domain.risk.case import Case, Standing
from trading_assets.domain.risk.exposure import Projection
from trading_assets.domain.risk.review import review
from trading_assets.domain.risk.rules.catalogue import RULES
from trading_assets.domain.risk.verdicts import TradingState
from trading_assets.domain.values import Side

ACCOUNTS = st.fixed_dictionaries(
    {},
    optional={
        "trading_state": st.sampled_from(TradingState),
        "gates": st.sampled_from([{}, {"AAA": "open"}, {"AAA": "closed", "BBB": "open"}]),
        "equity_usd": st.sampled_from([100_000, 97_000, "NaN"]),
        "tripped_breakers": st.sampled_from([frozenset(), frozenset({"drawdown"}), frozenset({"volatility"})]),
        "positions": st.sampled_from([{"AAA": 100}, {"AAA": -50, "BBB": 10}, {"BBB": "NaN"}]),
        "reference_prices": st.sampled_from([{"AAA": 50}, {"AAA": 50, "BBB": 20}]),
        "circumstances": st.none(),
    },
)
LIMITS = st.fixed_dictionaries(
    {},
    optional={
        "max_session_orders": st.integers(1, 3),
        "max_sector_exposure": st.sampled_from(["0.01", "0.5"]),
        "max_net_exposure": st.sampled_from(["0.01", "0.5"]),
        "allow_short": st.booleans(),
    },
)
ORDERS = st.lists(
    st.tuples(st.sampled_from(["AAA", "BBB", "ZZZ"]), st.sampled_from(Side), st.sampled_from(["1", "0.5", "2000"])),
    min_size=1,
    max_size=4,
)


@settings(max_examples=150)
@given(account=ACCOUNTS, orders=ORDERS, chosen=LIMITS)
def test_review_says_what_each_rule_says_alone(
    account: Any, orders: Any, chosen: Any, snapshot: Any, intent: Any, limits: Any
) -> None:
    book, held_to = snapshot(**account), limits(**chosen)
    intents = [
        intent(intent_id=str(number), leg=number, symbol=symbol, side=side, qty=qty)
        for number, (symbol, side, qty) in enumerate(orders)
    ]
    projection = Projection(book)
    for verdict in review(intents, book, held_to):
        alone = Case(verdict.intent, Standing(book, held_to), projection)
        assert [(one, dict(one.inputs)) for one in verdict.checks] == [
            (answer, dict(answer.inputs)) for answer in (rule.answer(alone) for rule in RULES)
        ]
        if verdict.approved_qty:
            projection.approve(verdict.intent, verdict.approved_qty)


@pytest.mark.parametrize("account", [{}, {"gates": {}}, {"equity_usd": "NaN"}])
def test_answers_are_a_sequence_that_can_be_sent_to_another_process(
    account: Any, snapshot: Any, intent: Any, limits: Any
) -> None:
    (verdict,) = review([intent()], snapshot(**account), limits())
    answers = verdict.checks
    assert len(answers) == len(RULES) == len(list(answers))
    assert (answers[0].rule_id, [one.rule_id for one in answers[-2:]]) == ("RC-01a", ["RC-39", "RC-40"])
    again = pickle.loads(pickle.dumps(answers))  # noqa: S301
    assert isinstance(again, tuple)
    assert answers == again
    assert answers != again[1:]
    assert repr(answers) == repr(again)


def test_rules_are_prepared_once_for_all_moments_under_the_same_limits(snapshot: Any, limits: Any) -> None:
    plans = {id(Panel(RULES, Standing(snapshot(), limits())).plan) for _ in range(3)}
    assert len(plans) == 1
    assert plan_of(RULES, limits(max_order_qty=5)) is not plan_of(RULES, limits())
