"""Legs of one trade pass together, in the ratio in which they were wanted, or not at all."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_assets.domain.risk.review import review
from trading_assets.domain.risk.rules.catalogue import RULES
from trading_assets.domain.risk.verdicts import Outcome
from trading_assets.domain.values import ReasonCode, Side

INCOMPLETE = ReasonCode.LEG_GROUP_INCOMPLETE
SHORTS = {"allow_short": True}


@pytest.fixture(scope="session")
def pair(intent: Any) -> Any:
    """Buy AAA against BBB, as one group."""

    def build(bought: Any, sold: Any, group: str | None = "AAA/BBB") -> list[Any]:
        return [
            intent(symbol="AAA", side=Side.BUY, qty=bought, group=group, intent_id="a"),
            intent(symbol="BBB", side=Side.SELL, qty=sold, group=group, intent_id="b"),
        ]

    return build


def answers(verdicts: Any) -> dict[str, tuple[Any, ...]]:
    return {one.intent.symbol: (one.outcome.value, int(one.approved_qty), one.reason_codes) for one in verdicts}


def test_group_that_passes_whole_is_approved_as_wanted(pair: Any, snapshot: Any, limits: Any) -> None:
    verdicts = review(pair(100, 60), snapshot(), limits(**SHORTS))
    assert answers(verdicts) == {"AAA": ("approved", 100, ()), "BBB": ("approved", 60, ())}


def test_group_with_a_reduced_leg_is_reduced_in_its_exact_ratio(pair: Any, snapshot: Any, limits: Any) -> None:
    # 200 shares of AAA are allowed: of the steps of 5 and 3 shares, 40.
    verdicts = review(pair(250, 150), snapshot(), limits(**SHORTS))
    assert answers(verdicts) == {
        "AAA": ("reduced", 200, (ReasonCode.NOTIONAL_EXCEEDS_LIMIT, ReasonCode.POSITION_EXCEEDS_LIMIT, INCOMPLETE)),
        "BBB": ("reduced", 120, (INCOMPLETE,)),
    }


def test_group_whose_ratio_fits_nothing_smaller_is_denied(pair: Any, snapshot: Any, limits: Any) -> None:
    verdicts = review(pair(251, 150), snapshot(), limits(**SHORTS))
    assert answers(verdicts)["BBB"] == ("denied", 0, (INCOMPLETE,))
    assert answers(verdicts)["AAA"][:2] == ("denied", 0)


@pytest.mark.parametrize("changes", [{"gates": {"AAA": "pending", "BBB": "open"}}, {"reference_prices": {"BBB": 50}}])
def test_group_with_a_denied_leg_is_denied(changes: Any, pair: Any, snapshot: Any, limits: Any) -> None:
    book = snapshot(**changes)
    alone = answers(review(pair(100, 60, None), book, limits(**SHORTS)))
    assert (alone["AAA"][0], alone["BBB"][0]) == ("denied", "approved")
    together = answers(review(pair(100, 60), book, limits(**SHORTS)))
    assert (together["AAA"][0], together["BBB"]) == ("denied", ("denied", 0, (INCOMPLETE,)))


def test_group_without_a_whole_leg_is_denied(pair: Any, snapshot: Any, limits: Any) -> None:
    verdicts = review(pair(0, 60), snapshot(), limits(**SHORTS))
    assert [verdict.outcome for verdict in verdicts] == [Outcome.DENIED, Outcome.DENIED]


def test_denied_group_takes_nothing_from_what_comes_after_it(
    pair: Any, intent: Any, snapshot: Any, limits: Any
) -> None:
    book = snapshot(gates={"AAA": "pending", "BBB": "open"}, positions={"BBB": 60})
    later = intent(strategy="beta", symbol="BBB", side=Side.BUY, qty=100)
    held = {"AAA": ("denied", 0), "BBB": ("denied", 0)}
    verdicts = review([*pair(100, 60), later], book, limits(max_gross_exposure="0.08"))
    assert {one.intent.symbol: answers([one])[one.intent.symbol][:2] for one in verdicts[:2]} == held
    assert (verdicts[2].outcome, verdicts[2].approved_qty) == (Outcome.APPROVED, 100)


def test_groups_of_two_strategies_do_not_know_each_other(intent: Any, snapshot: Any, limits: Any) -> None:
    one = intent(group="x", qty=100)
    other = intent(group="x", qty=100, strategy="beta", symbol="BBB")
    verdicts = review([one, other], snapshot(gates={"AAA": "open"}), limits())
    assert [verdict.outcome for verdict in verdicts] == [Outcome.APPROVED, Outcome.DENIED]


def test_rule_when_removed_lets_half_a_group_through(pair: Any, snapshot: Any, limits: Any) -> None:
    rules = [rule for rule in RULES if rule.rule_id != "RC-38"]
    verdicts = review(pair(100, 60), snapshot(gates={"BBB": "open"}), limits(**SHORTS), rules)
    assert answers(verdicts)["BBB"] == ("approved", 60, ())


@given(bought=st.integers(1, 600), sold=st.integers(1, 600), held=st.integers(0, 250))
def test_group_keeps_its_ratio_whatever_is_allowed(
    bought: int, sold: int, held: int, pair: Any, snapshot: Any, limits: Any
) -> None:
    verdicts = review(pair(bought, sold), snapshot(positions={"AAA": held}), limits(**SHORTS))
    passed = {one.intent.symbol: int(one.approved_qty) for one in verdicts}
    assert passed["AAA"] * sold == passed["BBB"] * bought
    alone = {
        one.intent.symbol: one
        for one in review(pair(bought, sold, None), snapshot(positions={"AAA": held}), limits(**SHORTS))
    }
    assert all(passed[symbol] <= alone[symbol].approved_qty for symbol in passed)
    if all(one.outcome is Outcome.APPROVED for one in alone.values()):
        assert all(one.outcome is Outcome.APPROVED for one in verdicts)
