"""The suite of cases turns red for a broker that is wrong: one planted defect a test."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import ModuleType

import pytest
from standins.broker_rehearsals import VenueRehearsal, new_venue, rehearsals

from trading_assets.adapters.errors import NotFound
from trading_assets.adapters.simulated_broker import SimulatedBroker
from trading_assets.domain.execution.broker_records import (
    Acknowledgement,
    ActivityRecord,
    BrokerFill,
    BrokerOrder,
    BrokerPosition,
    OrderRequest,
)
from trading_assets.domain.execution.orders import OrderStatus


class TakesEverything(SimulatedBroker):
    def submit(self, request: OrderRequest) -> Acknowledgement:
        return replace(super().submit(request), status=OrderStatus.ACKED)


class SendsAgain(SimulatedBroker):
    def submit(self, request: OrderRequest) -> Acknowledgement:
        first = super().submit(request)
        if first.status is OrderStatus.SUBMIT_UNKNOWN:
            return super().submit(replace(request, client_order_id=f"{request.client_order_id}-again"))
        return first


class ForgetsLegs(SimulatedBroker):
    def open_orders(self) -> list[BrokerOrder]:
        return [order for order in super().open_orders() if order.status is not OrderStatus.HELD]


class ForgetsBusts(SimulatedBroker):
    def activities_since(self, after: datetime) -> Sequence[ActivityRecord]:
        records = super().activities_since(after)
        return [one for one in records if not isinstance(one, BrokerFill) or one.kind == "fill"]


class TakesARequestForAnAnswer(SimulatedBroker):
    def cancel(self, broker_order_id: str) -> BrokerOrder:
        return replace(super().cancel(broker_order_id), status=OrderStatus.CANCELED)


class CancelsAnything(SimulatedBroker):
    def cancel(self, broker_order_id: str) -> BrokerOrder:
        try:
            return super().cancel(broker_order_id)
        except NotFound:
            return self.venue.orders()[0] if self.venue.orders() else None


class ForgetsTheSide(SimulatedBroker):
    def positions(self) -> list[BrokerPosition]:
        return [replace(one, qty=abs(one.qty or 0)) for one in super().positions()]


class NumbersAllAtOnce(SimulatedBroker):
    def orders_since(self, after: datetime) -> list[BrokerOrder]:
        return self.venue.orders()


DEFECTS = {
    TakesEverything: ("test_order_that_is_not_legal_is_refused_and_leaves_nothing", "more than the cash"),
    SendsAgain: ("test_client_id_that_was_used_proves_nothing_and_sends_nothing",),
    ForgetsLegs: ("test_lists_of_orders_have_the_legs_of_groups",),
    ForgetsBusts: ("test_execution_that_is_busted_is_taken_back_everywhere",),
    TakesARequestForAnAnswer: ("test_cancel_that_stays_pending_may_lose_to_an_execution",),
    CancelsAnything: ("test_cancelling_an_unknown_order_finds_none",),
    ForgetsTheSide: ("test_order_that_a_bar_executes_is_on_every_record", "short sale"),
    NumbersAllAtOnce: ("test_orders_since_a_moment_are_all_those_sent_later",),
}


@pytest.fixture(scope="module")
def suite() -> ModuleType:
    """The conformance suite as a module, whose cases are called here and not collected."""
    path = Path(__file__).with_name("test_broker_conformance.py")
    spec = importlib.util.spec_from_file_location("conformance_suite", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("defective", DEFECTS)
def test_broker_with_a_planted_defect_fails_the_suite(suite: ModuleType, defective: type[SimulatedBroker]) -> None:
    case, *arguments = DEFECTS[defective]
    sound, wrong = new_venue(), new_venue()

    getattr(suite, case)(VenueRehearsal(SimulatedBroker(sound), sound), *arguments)
    with pytest.raises((AssertionError, ValueError, pytest.fail.Exception)):
        getattr(suite, case)(VenueRehearsal(defective(wrong), wrong), *arguments)


def test_broker_of_somebody_else_is_named_by_module_and_function() -> None:
    (name,) = found = rehearsals("standins.broker_rehearsals:simulated")

    with found[name]() as rehearsal:
        assert rehearsal.broker.account().may_trade
