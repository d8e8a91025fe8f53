"""What a broker's records become in the ledger: to the share and the cent, once, whatever their order."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_assets.domain.execution.bookings import Booked, Bookings, book
from trading_assets.domain.execution.broker_records import ActivityRecord, BrokerActivity, BrokerFill
from trading_assets.domain.execution.ledger import EXTERNAL, ActivityKind, fold
from trading_assets.domain.execution.order_history import BUST, IncidentKind
from trading_assets.domain.execution.orders import Order, OrderType, TimeInForce
from trading_assets.domain.values import Side

D = Decimal
AT = datetime(2024, 7, 1, 18, 0, tzinfo=UTC)
OURS = Order(
    client_order_id="ta1-1",
    intent_id="i",
    attempt=1,
    account_id="acc",
    strategy="s",
    strategy_version="1",
    symbol="AAA",
    side=Side.BUY,
    qty=D(10),
    order_type=OrderType.MARKET,
    time_in_force=TimeInForce.DAY,
    submitted_at=AT,
    session_date=date(2024, 7, 1),
)
KNOWN = Booked("acc", orders={"b1": OURS})


def execution(name: str, order: str = "b1", qty: str = "10", price: str = "100", **more: Any) -> BrokerFill:
    side = more.pop("side", Side.BUY)
    return BrokerFill(f"20240701::{name}", name, order, "AAA", side, D(qty), D(price), AT, **more)


def activity(name: str, kind: str, amount: str | None, **more: Any) -> BrokerActivity:
    return BrokerActivity(name, kind, None if amount is None else D(amount), date(2024, 7, 1), **more)


def booked_with(known: Booked, made: Bookings) -> Booked:
    """What is known after the bookings were stored."""
    undone = {one.detail["execution_id"] for one in made.activities if one.kind is ActivityKind.BUST}
    sources = {one.detail["broker_activity_id"] for one in made.activities} | {fill.execution_id for fill in made.fills}
    fills = {**known.fills, **{fill.execution_id: fill for fill in made.fills}}
    return replace(
        known,
        fills={name: fill for name, fill in fills.items() if name not in undone},
        sources={*known.sources, *sources, *undone},
    )


def kinds(made: Bookings) -> list[str]:
    return [one.kind.value for one in made.activities]


def test_execution_of_our_order_is_a_fill_of_its_strategy() -> None:
    made = book(KNOWN, [execution("e1")], AT)

    (fill,) = made.fills
    assert (fill.strategy, fill.client_order_id, fill.qty, fill.price, fill.booked_at) == (
        "s",
        "ta1-1",
        D(10),
        D(100),
        AT,
    )
    assert (made.activities, made.incidents) == ([], set())


def test_execution_of_another_s_order_moves_shares_and_cash_of_the_others() -> None:
    made = book(KNOWN, [execution("e1", "b9", qty="3", side=Side.SELL)], AT)

    (trade,) = made.activities
    assert (trade.kind, trade.strategy, trade.qty_delta, trade.amount_usd) == (
        ActivityKind.EXTERNAL_TRADE,
        EXTERNAL,
        D(-3),
        D(300),
    )
    position = fold("acc", made.activities).positions[EXTERNAL, "AAA"]
    assert (position.qty, position.avg_cost) == (D(-3), D(100))


@pytest.mark.parametrize("order", ["b1", "b9"])
def test_bust_leaves_neither_shares_nor_a_result(order: str) -> None:
    bust = execution("e2", order, kind=BUST, previous_execution_id="e1")

    made = book(KNOWN, [execution("e1", order), bust], AT)

    account = fold("acc", [*made.fills, *made.activities])
    assert all((one.qty, one.realised_usd) == (D(0), D(0)) for one in account.positions.values())
    assert account.cash == D(0)


def test_correction_puts_other_terms_in_the_place_of_an_execution() -> None:
    correction = execution("e2", qty="9", price="101", kind="trade_correct", previous_execution_id="e1")

    made = book(KNOWN, [execution("e1"), correction], AT)

    account = fold("acc", [*made.fills, *made.activities])
    assert (account.positions["s", "AAA"].qty, account.cash) == (D(9), D(-909))


def test_bust_of_what_was_never_booked_is_an_incident_and_moves_nothing() -> None:
    made = book(KNOWN, [execution("e2", kind=BUST, previous_execution_id="e1")], AT)

    assert (made.fills, made.activities) == ([], [])
    assert {one.kind for one in made.incidents} == {IncidentKind.UNDOES_THE_UNKNOWN}


@pytest.mark.parametrize("missing", ["qty", "price", "side", "at"])
def test_execution_that_cannot_be_read_is_an_incident(missing: str) -> None:
    made = book(KNOWN, [replace(execution("e1"), **{missing: None})], AT)

    assert (made.fills, {one.kind for one in made.incidents}) == ([], {IncidentKind.RECORD_UNREADABLE})


@pytest.mark.parametrize(
    ("record", "kind"),
    [
        (activity("a", "CSD", "500"), "deposit"),
        (activity("a", "CSW", "-500"), "withdrawal"),
        (activity("a", "JNLC", "-1"), "withdrawal"),
        (activity("a", "DIV", "7.5", symbol="AAA"), "dividend"),
        (activity("a", "DIVNRA", "-1.5", symbol="AAA"), "dividend"),
        (activity("a", "FEE", "-0.02", sub_kind="TAF"), "fee_taf"),
        (activity("a", "FEE", "-0.02", sub_kind="REG"), "fee_sec"),
        (activity("a", "FEE", "-0.01", sub_kind="CAT"), "fee"),
        (activity("a", "INT", "-3"), "interest"),
    ],
)
def test_cash_is_booked_under_its_kind_and_moves_to_the_cent(record: BrokerActivity, kind: str) -> None:
    made = book(KNOWN, [record], AT)

    account = fold("acc", made.activities)
    assert (kinds(made), account.cash, made.incidents) == ([kind], record.amount_usd, set())
    assert account.equity == account.flows + account.realised + account.unrealised + account.dividends - account.fees


def test_dividend_belongs_to_the_only_strategy_that_holds_the_symbol() -> None:
    record = activity("a", "DIV", "7.5", symbol="AAA")
    alone, shared = {("s", "AAA"): D(10)}, {("s", "AAA"): D(10), ("t", "AAA"): D(5)}

    assert book(replace(KNOWN, holdings=alone), [record], AT).activities[0].strategy == "s"
    assert book(replace(KNOWN, holdings=shared), [record], AT).activities[0].strategy is None


def test_word_that_nobody_knows_moves_what_the_broker_moved_and_is_an_incident() -> None:
    made = book(KNOWN, [activity("a", "XYZ", "-12"), activity("b", "ACATS", None, qty=D(4), symbol="AAA")], AT)

    assert kinds(made) == ["withdrawal", "external_trade"]
    assert {(one.kind, one.subject) for one in made.incidents} == {
        (IncidentKind.UNKNOWN_ACTIVITY, "a"),
        (IncidentKind.UNKNOWN_ACTIVITY, "b"),
    }
    assert fold("acc", made.activities).positions[EXTERNAL, "AAA"].qty == D(4)


@given(
    st.dictionaries(st.sampled_from("stuv"), st.decimals("0.001", 1000, places=9), min_size=1),
    st.sampled_from([D("0.5"), D(1), D(3), D("-0.9")]),
)
def test_split_gives_every_strategy_its_part_and_all_together_what_the_broker_says(
    held: dict[str, Decimal], ratio: Decimal
) -> None:
    holdings = {(strategy, "AAA"): qty for strategy, qty in held.items()}
    delta = (sum(held.values()) * ratio).quantize(D("0.000000001"))
    known = replace(KNOWN, holdings=holdings, marks={"AAA": D(100)})

    made = book(known, [activity("a", "SPLIT", None, qty=delta, symbol="AAA")], AT)

    if delta:
        assert sum(one.qty_delta for one in made.activities) == delta
        assert {one.strategy for one in made.activities} == set(held)
        assert len({one.activity_id for one in made.activities}) == len(made.activities)


RECORDS: list[ActivityRecord] = [
    execution("e1"),
    execution("e2", qty="4", side=Side.SELL),
    execution("e3", kind=BUST, previous_execution_id="e2"),
    execution("e4", qty="7", price="99", kind="trade_correct", previous_execution_id="e1"),
    execution("e5", "b9", qty="2"),
    activity("a1", "DIV", "1.25", symbol="AAA"),
    activity("a2", "XYZ", "-1"),
]


@given(st.permutations(RECORDS), st.integers(1, len(RECORDS) - 1))
def test_records_in_any_order_and_in_two_parts_come_to_the_same(records: list[ActivityRecord], cut: int) -> None:
    whole = book(KNOWN, RECORDS, AT)
    again = book(booked_with(KNOWN, whole), records, AT)
    assert (again.fills, again.activities) == ([], [])

    # What undoes an execution is recorded after it: a first part holds no bust of what only the second has.
    first = sorted(records[:cut], key=RECORDS.index)
    named = {one.execution_id for one in first if isinstance(one, BrokerFill)}
    first = [one for one in first if getattr(one, "previous_execution_id", None) in {None, *named}]
    early = book(KNOWN, first, AT)
    late = book(booked_with(KNOWN, early), records, AT)

    both = fold("acc", [*early.fills, *late.fills, *early.activities, *late.activities])
    at_once = fold("acc", [*whole.fills, *whole.activities])
    assert both.cash == at_once.cash
    assert {key: one.qty for key, one in both.positions.items()} == {
        key: one.qty for key, one in at_once.positions.items()
    }
