"""Trading states: the last word on a subject holds, the tightest of the scopes counts, reducing only ever reduces."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_assets.domain.risk.breakers import effective_state
from trading_assets.domain.risk.review import review
from trading_assets.domain.risk.trading_states import (
    EVERY_ACCOUNT,
    Command,
    Scope,
    StateChange,
    TradingStates,
    scope_of,
    states_of,
)
from trading_assets.domain.risk.verdicts import Outcome, Purpose, TradingState
from trading_assets.domain.values import ReasonCode, Side

ACTIVE, REDUCING, HALTED = TradingState
AT = datetime(2012, 6, 1, 15, tzinfo=UTC)
HOUR = timedelta(hours=1)


def changes(*orders: tuple[Command, Scope, str]) -> list[StateChange]:
    """One change an hour, from AT on."""
    return [
        StateChange(no, scope, subject, command.state, command is Command.FLATTEN, AT + no * HOUR, "Ada", "because")
        for no, (command, scope, subject) in enumerate(orders)
    ]


EVERYTHING = (Scope.ACCOUNT, EVERY_ACCOUNT)
MINE, OTHER = (Scope.ACCOUNT, "mine"), (Scope.ACCOUNT, "other")


@pytest.mark.parametrize(
    ("orders", "account"),
    [
        ([], ACTIVE),
        ([(Command.HALT, *EVERYTHING)], HALTED),
        ([(Command.HALT, *MINE)], HALTED),
        ([(Command.HALT, *OTHER)], ACTIVE),
        ([(Command.HALT, *MINE), (Command.RESUME, *MINE)], ACTIVE),
        ([(Command.HALT, *EVERYTHING), (Command.RESUME, *MINE)], HALTED),
        ([(Command.REDUCE, *EVERYTHING), (Command.HALT, *MINE)], HALTED),
        ([(Command.HALT, *EVERYTHING), (Command.REDUCE, *EVERYTHING)], REDUCING),
        ([(Command.FLATTEN, *MINE)], REDUCING),
        ([(Command.HALT, Scope.STRATEGY, "alpha"), (Command.HALT, Scope.SYMBOL, "AAA")], ACTIVE),
    ],
)
def test_account_is_in_the_tightest_of_the_last_words_about_it(orders: Any, account: TradingState) -> None:
    assert states_of(changes(*orders), "mine").account is account


def test_change_counts_from_its_time_on() -> None:
    halted = changes((Command.HALT, *EVERYTHING), (Command.RESUME, *EVERYTHING))
    times = [AT - timedelta(microseconds=1), AT, AT + HOUR - timedelta(microseconds=1), AT + HOUR]
    assert [states_of(halted, "mine", at).account for at in times] == [ACTIVE, HALTED, HALTED, ACTIVE]


def test_flattening_ends_with_the_next_word_on_the_subject() -> None:
    flat = changes((Command.FLATTEN, Scope.SYMBOL, "AAA"))
    resumed = changes((Command.FLATTEN, Scope.SYMBOL, "AAA"), (Command.RESUME, Scope.SYMBOL, "AAA"))
    assert states_of(flat, "mine").is_flattened("alpha", "AAA")
    assert not states_of(flat, "mine").is_flattened("alpha", "BBB")
    assert not states_of(resumed, "mine").is_flattened("alpha", "AAA")


def test_tightened_states_take_the_tighter_of_both_and_keep_what_is_flattened() -> None:
    flat = changes((Command.FLATTEN, Scope.STRATEGY, "alpha"), (Command.HALT, Scope.SYMBOL, "AAA"))
    now = TradingStates(HALTED, {"alpha": ACTIVE, "beta": REDUCING}, {"AAA": REDUCING})
    both = states_of(flat, "mine").tightened_by(now)
    assert (both.account, both.strategies, both.symbols) == (
        HALTED,
        {"alpha": REDUCING, "beta": REDUCING},
        {"AAA": HALTED},
    )
    assert both.is_flattened("alpha", "BBB")


def test_scope_is_every_account_unless_one_is_named() -> None:
    assert scope_of(None, None, None) == EVERYTHING
    assert scope_of(None, "alpha", None) == (Scope.STRATEGY, "alpha")
    with pytest.raises(ValueError, match="strategy and symbol are two scopes"):
        scope_of(None, "alpha", "AAA")


@pytest.mark.parametrize("scope", ["trading_state", "strategy_states", "symbol_states"])
@pytest.mark.parametrize("state", TradingState)
def test_state_of_each_scope_counts_for_the_order(scope: str, state: TradingState, snapshot: Any, intent: Any) -> None:
    value = {"trading_state": state, "strategy_states": {"alpha": state}, "symbol_states": {"AAA": state}}[scope]
    book = snapshot(**{scope: value})
    assert effective_state(book, "alpha", "AAA") is state
    if scope != "trading_state":
        assert effective_state(book, "beta", "BBB") is ACTIVE


@pytest.mark.parametrize(
    ("state", "side", "purpose", "reasons"),
    [
        (HALTED, Side.SELL, Purpose.CLOSE, (ReasonCode.TRADING_STATE_HALTED,)),
        (HALTED, Side.SELL, Purpose.FLATTEN, ()),
        (HALTED, Side.BUY, Purpose.FLATTEN, (ReasonCode.TRADING_STATE_REDUCING,)),
        (REDUCING, Side.SELL, Purpose.CLOSE, ()),
        (REDUCING, Side.BUY, Purpose.INCREASE, (ReasonCode.TRADING_STATE_REDUCING,)),
        (ACTIVE, Side.BUY, Purpose.INCREASE, ()),
    ],
)
def test_halt_stops_everything_but_an_order_to_flatten(
    state: TradingState, side: Side, purpose: Purpose, reasons: Any, snapshot: Any, intent: Any, limits: Any
) -> None:
    book = snapshot(positions={"AAA": 100}, symbol_states={"AAA": state})
    (verdict,) = review([intent(side=side, purpose=purpose, qty=50)], book, limits())
    assert verdict.reason_codes == reasons


SHARES = st.integers(-300, 300)
WORKING = st.integers(0, 200)
ORDERS = st.lists(st.tuples(st.sampled_from(Side), st.integers(1, 400), st.sampled_from(["alpha", "beta"])), max_size=4)


@settings(max_examples=200)
@given(
    held=SHARES, buys=WORKING, sells=WORKING, orders=ORDERS, scope=st.sampled_from(["trading_state", "symbol_states"])
)
def test_reducing_never_adds_never_flips_and_never_opens(
    held: int, buys: int, sells: int, orders: Any, scope: str, snapshot: Any, intent: Any, limits: Any
) -> None:
    book = snapshot(
        positions={"AAA": held},
        working_buys={"AAA": buys},
        working_sells={"AAA": sells},
        **{scope: REDUCING if scope == "trading_state" else {"AAA": REDUCING}},
    )
    intents = [
        intent(intent_id=str(no), side=side, qty=qty, strategy=strategy, leg=no)
        for no, (side, qty, strategy) in enumerate(orders)
    ]
    verdicts = review(intents, book, limits(allow_short=True))
    passed = {side: Decimal(0) for side in Side}
    for verdict in verdicts:
        if verdict.outcome is not Outcome.DENIED:
            passed[verdict.intent.side] += verdict.approved_qty
    # Whatever fills and whatever does not: what may be sold was surely long before, and what may be bought short.
    assert not passed[Side.SELL] or sells + passed[Side.SELL] <= held
    assert not passed[Side.BUY] or buys + passed[Side.BUY] <= -held
