"""Brokers to rehearse on: what a test may do to the market behind a broker, and the ones that this project has.

A broker of your own: write an object with the methods of `Rehearsal` around it and a context manager that makes one,
and name that in TRADING_TEST_BROKER as "module:function". tests/contract/test_broker_conformance.py then runs on it.
"""

from __future__ import annotations

import importlib
import os
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Protocol

from standins.local_alpaca.openapi import Contract
from standins.local_alpaca.server import PAPER_KEY, SECRET, LocalAlpaca

from trading_assets.adapters.alpaca_broker import GATEWAY_NAME, ONCE, AlpacaBroker, check_answer
from trading_assets.adapters.ports import Broker
from trading_assets.adapters.simulated_broker import SimulatedBroker
from trading_assets.adapters.vendor_gateway import QuarantinedRow, VendorGateway, VendorResponse
from trading_assets.domain.execution.broker_records import Hint, OrderUpdate, StreamAlive, StreamOpened
from trading_assets.domain.execution.fill_model import FillModel
from trading_assets.domain.execution.venue import Venue
from trading_assets.domain.market.bars import Bar
from trading_assets.domain.market.corporate_actions import ActionKind, CorporateAction
from trading_assets.domain.market.instruments import Instrument
from trading_assets.domain.market.sessions import NEW_YORK

MONDAY = date(2024, 7, 1)
TUESDAY = date(2024, 7, 2)
HALF_DAY = date(2024, 7, 3)
HOLIDAY = date(2024, 7, 4)
CASH = Decimal(100_000)
ACCOUNT = "PA0LOCAL0001"
HOUR = timedelta(hours=1)
PATIENCE_S = 20.0
STEADY = FillModel(slippage_bps=Decimal(0), volume_limit=Decimal("0.025"))
INSTRUMENTS = (
    Instrument("AAA", "Alpha", "NYSE", True, True, is_fractionable=True, is_easy_to_borrow=True),
    Instrument("BBB", "Beta", "NASDAQ", True, False, is_fractionable=False, is_easy_to_borrow=False),
    Instrument("CCC-B", "Gamma, class B", "NYSE", True, True, is_fractionable=True, is_easy_to_borrow=True),
    Instrument("OLD", "No longer traded", "NYSE", False),
)
DIVIDEND = CorporateAction(
    "AAA", TUESDAY, ActionKind.CASH_DIVIDEND, amount_usd=Decimal("0.25"), pay_date=date(2024, 7, 15)
)


def new_york(wall_clock: str, day: date = MONDAY) -> datetime:
    """A moment by the clock in New York, "12:30", as UTC."""
    return datetime.combine(day, time.fromisoformat(wall_clock), NEW_YORK).astimezone(UTC)


def bar(begins: str = "12:30", day: date = MONDAY, symbol: str = "AAA", **values: Any) -> Bar:
    """An hour, or what is left of the session: open 100, high 103, low 98, close 101, volume 100,000."""
    ts = new_york(begins, day)
    prices = {"open": 100, "high": 103, "low": 98, "close": 101, "volume": 100_000} | values
    closes_at = min(ts + HOUR, new_york("16:00", day)) if ts < new_york("16:00", day) else ts + HOUR
    return Bar(symbol, ts, closes_at, day, **{name: Decimal(str(value)) for name, value in prices.items()})


class Rehearsal(Protocol):
    """A broker with INSTRUMENTS, CASH, no orders and no positions, at noon of MONDAY, whose market a test moves.

    Bars execute what they can by the rules of the fill model STEADY.
    """

    broker: Broker

    def advance(self, to: datetime) -> None:
        """Let time pass without trading."""
        ...

    def trade(self, *bars: Bar) -> None:
        """Let bars of one period execute orders; it is their end afterwards."""
        ...

    def halt(self, symbol: str, is_halted: bool = True) -> None: ...

    def hold_cancels(self) -> None:
        """Let requested cancels wait from now on, until confirm_cancels."""
        ...

    def confirm_cancels(self) -> None: ...

    def reject(self, broker_order_id: str) -> None:
        """Refuse an order that was accepted."""
        ...

    def bust(self, execution_id: str) -> None: ...

    def correct(self, execution_id: str, qty: Decimal, price: Decimal) -> None: ...

    def book(self, kind: str, amount_usd: Decimal, symbol: str | None = None) -> None:
        """Book cash, such as a DIV or a FEE."""
        ...


@dataclass
class VenueRehearsal:
    """A Rehearsal over a venue, which is touched with `lock` held."""

    broker: Broker
    venue: Venue
    lock: AbstractContextManager[Any] = field(default_factory=nullcontext)

    def advance(self, to: datetime) -> None:
        with self.lock:
            self.venue.advance(to)

    def trade(self, *bars: Bar) -> None:
        with self.lock:
            self.venue.trade(*bars)

    def halt(self, symbol: str, is_halted: bool = True) -> None:
        with self.lock:
            self.venue.halt(symbol, is_halted)

    def hold_cancels(self) -> None:
        with self.lock:
            self.venue.is_cancel_slow = True

    def confirm_cancels(self) -> None:
        with self.lock:
            self.venue.is_cancel_slow = False
            self.venue.confirm_cancels()

    def reject(self, broker_order_id: str) -> None:
        with self.lock:
            self.venue.reject(broker_order_id, "refused by the exchange")

    def bust(self, execution_id: str) -> None:
        with self.lock:
            self.venue.bust(execution_id)

    def correct(self, execution_id: str, qty: Decimal, price: Decimal) -> None:
        with self.lock:
            self.venue.correct(execution_id, qty, price)

    def book(self, kind: str, amount_usd: Decimal, symbol: str | None = None) -> None:
        with self.lock:
            self.venue.book_cash(kind, amount_usd, symbol)


def new_venue(at: datetime | None = None) -> Venue:
    venue = Venue(at or new_york("12:00"), CASH, STEADY, (), ACCOUNT)
    for instrument in INSTRUMENTS:
        known = Instrument(
            **{name: getattr(instrument, name) for name in instrument.__slots__}
            | {"source_id": venue.ledger.new_id("asset", len(venue.instruments))}
        )
        venue.instruments[known.symbol] = known
    return venue


@contextmanager
def simulated() -> Iterator[VenueRehearsal]:
    venue = new_venue()
    yield VenueRehearsal(SimulatedBroker(venue, [DIVIDEND], "alpaca-paper"), venue)


@contextmanager
def local_alpaca() -> Iterator[VenueRehearsal]:
    """Alpaca's adapter on a local Alpaca, whose answers are held to the OpenAPI contract where that is at hand."""
    contract = Contract.at_hand()
    venue = new_venue()
    alpaca = LocalAlpaca(venue, [DIVIDEND], contract.check if contract else lambda *_: None)
    with alpaca.running():
        yield VenueRehearsal(broker_of(alpaca), venue, alpaca.lock)
    if contract:
        assert contract.violations == []


def broker_of(alpaca: LocalAlpaca, store: MemoryStore | None = None) -> AlpacaBroker:
    gateway = VendorGateway(GATEWAY_NAME, Unlimited(), store or MemoryStore(), ONCE, check_answer)
    return AlpacaBroker(gateway, PAPER_KEY, SECRET, "paper", ACCOUNT, alpaca.url, alpaca.url)


def rehearsals(named: str | None) -> dict[str, Callable[[], AbstractContextManager[Rehearsal]]]:
    """This project's rehearsals, or the one `named` as "module:function"."""
    if not named:
        return {"simulated": simulated, "local_alpaca": local_alpaca}
    module, _, function = named.partition(":")
    return {named: getattr(importlib.import_module(module), function)}


REHEARSALS = rehearsals(os.environ.get("TRADING_TEST_BROKER"))


# Around a gateway ---------------------------------------------------------------------------------


class Unlimited:
    def reserve(self, patience_s: float) -> float:
        return 0.0

    def pause(self, seconds: float) -> None:
        """Nobody waits."""


@dataclass
class MemoryStore:
    """What a gateway keeps. `failure` is raised instead of keeping anything."""

    kept: list[VendorResponse] = field(default_factory=list)
    failure: Exception | None = None

    def store(self, response: VendorResponse) -> int:
        if self.failure is not None:
            raise self.failure
        self.kept.append(response)
        return len(self.kept)

    def quarantine(self, rows: Sequence[QuarantinedRow]) -> None:
        assert not rows


# Listening ----------------------------------------------------------------------------------------


class Listener:
    """Hears a broker's hints in a thread of its own."""

    def __init__(self, broker: Broker) -> None:
        self._heard: queue.SimpleQueue[Hint] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._listen, args=(broker,), daemon=True)
        self._thread.start()

    def next(self) -> Hint:
        """The next hint. Raises queue.Empty when none comes."""
        return self._heard.get(timeout=PATIENCE_S)

    def until_opened(self) -> StreamOpened:
        """The next opening of the stream; updates before it are passed over."""
        while not isinstance(hint := self.next(), StreamOpened):
            pass
        return hint

    def updates(self, number: int) -> list[OrderUpdate]:
        """The next `number` updates."""
        return [hint for hint in (self.next() for _ in range(number)) if isinstance(hint, OrderUpdate)]

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()

    def _listen(self, broker: Broker) -> None:
        for hint in broker.order_updates(self._stopping):
            if not isinstance(hint, StreamAlive):
                self._heard.put(hint)


@contextmanager
def listening(broker: Broker) -> Iterator[Listener]:
    """A listener whose stream is open."""
    listener = Listener(broker)
    try:
        listener.until_opened()
        yield listener
    finally:
        listener.stop()
