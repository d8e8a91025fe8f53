"""A rehearsal's market: bars trade when the clock has passed them, and the account is the same after a restart."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from standins.broker_rehearsals import ACCOUNT, INSTRUMENTS, MONDAY, TUESDAY, bar, broker_of, listening, new_york
from standins.platform import SetClock

from trading_assets.adapters.alpaca_broker import AlpacaBroker
from trading_assets.adapters.errors import AdapterError, ContractBroken
from trading_assets.domain.execution.broker_records import BrokerFill, OrderRequest
from trading_assets.domain.execution.orders import OrderStatus, OrderType, TimeInForce
from trading_assets.domain.market.bars import Bar
from trading_assets.domain.market.instruments import Instrument
from trading_assets.domain.values import Side, Timeframe
from trading_assets.local_alpaca.journal import Beginning, Journal
from trading_assets.local_alpaca.rehearsal import RehearsedAlpaca

SECOND = timedelta(seconds=1)
CASH = Decimal(100_000)
LIMIT = Decimal("0.025")


@dataclass
class MemoryMarket:
    """What is stored, as a test puts it there."""

    bars: list[Bar] = field(default_factory=list)
    symbols: tuple[str, ...] = ("AAA", "BBB")
    failure: AdapterError | None = None

    def instruments(self, symbols: Sequence[str]) -> list[Instrument]:
        return [replace(one, source_id=one.symbol) for one in INSTRUMENTS if one.symbol in symbols]

    def periods(self, first: date, last: date, now: datetime) -> list[list[Bar]]:
        if self.failure:
            raise self.failure
        wanted = [one for one in self.bars if first <= one.session_date <= last and one.closes_at <= now]
        wanted.sort(key=lambda one: (one.closes_at, one.symbol))
        return [list(bars) for _, bars in groupby(wanted, key=lambda one: one.closes_at)]

    def actions(self, now: datetime) -> list[Any]:
        return []


@dataclass
class Stage:
    """A rehearsal that can be restarted."""

    folder: Path
    stack: ExitStack
    finest: Timeframe = Timeframe.HOUR
    clock: SetClock = field(default_factory=lambda: SetClock(new_york("12:00") + SECOND))
    stored: MemoryMarket = field(default_factory=lambda: MemoryMarket([bar("10:30"), bar("10:30", symbol="BBB")]))

    @property
    def journal(self) -> Journal:
        return Journal(self.folder / "account.jsonl")

    def begin(self) -> AlpacaBroker:
        self.journal.begin(Beginning(ACCOUNT, self.clock.at, CASH, Decimal(0), LIMIT))
        return self.start()

    def start(self) -> AlpacaBroker:
        self.stack.close()
        self.alpaca = RehearsedAlpaca(self.journal, self.stored, self.finest, self.clock)  # type: ignore[arg-type]
        self.stack.enter_context(self.alpaca.running())
        return broker_of(self.alpaca)  # type: ignore[arg-type]

    def pass_on(self, wall_clock: str, *bars: Bar, day: date = MONDAY) -> None:
        """Store bars and set the clock to a second after `wall_clock` in New York."""
        self.stored.bars += bars
        self.clock.at = new_york(wall_clock, day) + SECOND


@pytest.fixture
def new_stage(tmp_path: Path) -> Iterator[Callable[..., Stage]]:
    with ExitStack() as stack:
        yield lambda **given: Stage(tmp_path, stack, **given)


@pytest.fixture
def stage(new_stage: Callable[..., Stage]) -> Stage:
    return new_stage()


def buy(name: str, symbol: str = "AAA", qty: int = 10, **terms: Any) -> OrderRequest:
    return OrderRequest(name, symbol, Side.BUY, Decimal(qty), **terms)


def test_order_of_a_young_bar_has_its_open_and_a_later_one_that_of_the_next(stage: Stage) -> None:
    broker = stage.begin()
    stage.pass_on("12:30", bar("11:30"))
    broker.submit(buy("young"))
    stage.clock.at += timedelta(minutes=5)
    broker.submit(buy("late"))
    assert broker.order_by_client_id("young").status is OrderStatus.WORKING

    stage.pass_on("13:30", bar("12:30", open=100), bar("12:30", symbol="BBB"))
    assert broker.order_by_client_id("young").status is OrderStatus.FILLED
    assert broker.order_by_client_id("late").status is OrderStatus.WORKING
    stage.pass_on("14:30", bar("13:30", open=102))

    prices = [broker.order_by_client_id(name).filled_avg_price for name in ("young", "late")]
    assert prices == [Decimal(100), Decimal(102)]
    assert [position.qty for position in broker.positions()] == [Decimal(20)]
    assert broker.account().cash_usd == CASH - 10 * 100 - 10 * 102


def test_clock_and_calendar_are_the_platform_s(stage: Stage) -> None:
    broker = stage.begin()
    stage.clock.at = new_york("19:00") + SECOND

    clock = broker.clock()

    assert clock.now == stage.clock.at
    assert not clock.is_open
    assert clock.next_open == new_york("09:30", TUESDAY)
    assert [day.opens_at for day in broker.calendar(MONDAY, TUESDAY)] == [
        new_york("09:30", day) for day in (MONDAY, TUESDAY)
    ]


def test_day_order_waits_for_the_bar_that_may_execute_it_however_late_it_is_stored(stage: Stage) -> None:
    broker = stage.begin()
    stage.pass_on("15:30", bar("14:30"))
    broker.submit(buy("day"))
    stage.pass_on("16:00")
    assert broker.order_by_client_id("day").status is OrderStatus.WORKING
    stage.pass_on("16:20", bar("15:30"))

    assert broker.order_by_client_id("day").status is OrderStatus.FILLED


def test_day_order_that_its_last_bar_does_not_execute_expires(stage: Stage) -> None:
    broker = stage.begin()
    stage.pass_on("15:30", bar("14:30"))
    broker.submit(buy("day", qty=100))
    stage.pass_on("16:00", bar("15:30", volume=1000))

    order = broker.order_by_client_id("day")
    assert (order.status, order.filled_qty) == (OrderStatus.EXPIRED, Decimal(25))


def test_hour_without_any_bar_is_passed_over_once_a_later_one_is_stored(stage: Stage) -> None:
    broker = stage.begin()
    stage.pass_on("13:00", bar("11:30"))
    broker.submit(buy("patient"))
    stage.pass_on("15:30", bar("14:30", open=103))

    assert broker.order_by_client_id("patient").filled_avg_price == Decimal(103)


def test_daily_bars_trade_orders_of_the_evening_before(new_stage: Callable[..., Stage]) -> None:
    def session_bar(day: date, **values: Any) -> Bar:
        return replace(bar("09:30", day, **values), closes_at=new_york("16:00", day))

    first = date(2024, 6, 28)
    stage = new_stage(finest=Timeframe.SESSION, stored=MemoryMarket([session_bar(first)]))
    stage.clock.at = new_york("16:00", first) + SECOND
    broker = stage.begin()
    broker.submit(buy("evening"))
    assert broker.order_by_client_id("evening").status is OrderStatus.ACKED
    stage.pass_on("16:00", session_bar(MONDAY, open=99))

    assert broker.order_by_client_id("evening").filled_avg_price == Decimal(99)


def test_update_goes_out_on_the_stream_when_the_clock_moves(stage: Stage) -> None:
    broker = stage.begin()
    stage.pass_on("12:30", bar("11:30"))
    with listening(broker_of(stage.alpaca)) as listener:  # type: ignore[arg-type]
        broker.submit(buy("heard"))
        stage.pass_on("13:30", bar("12:30"))
        stage.alpaca.follow()

        assert [update.event for update in listener.updates(3)] == ["accepted", "new", "fill"]


def test_restart_gives_the_same_account_orders_and_records(stage: Stage) -> None:
    broker = stage.begin()
    stage.pass_on("12:30", bar("11:30"))
    broker.submit(buy("filled"))
    broker.submit(buy("partly", qty=100))
    broker.submit(buy("cancelled", order_type=OrderType.LIMIT, limit_price=Decimal(90)))
    cancelled = broker.order_by_client_id("cancelled")
    broker.cancel(cancelled.broker_order_id)
    stage.pass_on("13:30", bar("12:30", volume=1000))
    broker.submit(buy("open", time_in_force=TimeInForce.GTC))
    broker.suspend_trade(True)

    def said(one: AlpacaBroker) -> tuple[Any, ...]:
        everything = one.activities_since(new_york("09:30"))
        return one.account(), one.positions(), one.orders_since(new_york("09:30")), everything

    before = said(broker)
    after = said(stage.start())

    assert after == before
    assert after[0].is_suspended_by_user
    assert [fill.qty for fill in after[3] if isinstance(fill, BrokerFill)] == [Decimal(10), Decimal(15)]


def test_restarted_market_goes_on_where_it_was(stage: Stage) -> None:
    broker = stage.begin()
    stage.pass_on("12:30", bar("11:30"))
    broker.submit(buy("before"))
    stage.stack.close()
    stage.pass_on("13:30", bar("12:30", open=101))
    broker = stage.start()

    assert broker.order_by_client_id("before").filled_avg_price == Decimal(101)
    stage.pass_on("13:31", bar("12:30", open=55))  # restated
    assert len(broker.activities_since(new_york("09:30"))) == 1


def test_clock_that_is_set_back_changes_nothing(stage: Stage) -> None:
    broker = stage.begin()
    stage.pass_on("13:30", bar("11:30"), bar("12:30"))
    broker.submit(buy("one"))
    stage.clock.at = new_york("11:00")

    assert broker.order_by_client_id("one").status is OrderStatus.WORKING
    assert broker.clock().now == new_york("11:00")


def test_line_that_was_cut_short_has_not_happened(stage: Stage) -> None:
    broker = stage.begin()
    broker.submit(buy("whole"))
    content = stage.journal.path.read_bytes()
    broker.submit(buy("cut"))
    cut = stage.journal.path.read_bytes()[: len(content) + 20]
    stage.stack.close()
    stage.journal.path.write_bytes(cut)

    broker = stage.start()
    broker.submit(buy("after"))
    assert [order.client_order_id for order in stage.start().open_orders()] == ["whole", "after"]


@pytest.mark.parametrize("content", ["", "{}\n", "not JSON\n", '{"at": "2024"}\n'])
def test_file_that_is_no_journal_is_refused(stage: Stage, content: str) -> None:
    stage.journal.path.write_text(content)

    with pytest.raises(ContractBroken, match="is not the journal of a rehearsal"):
        stage.start()


def test_journal_of_what_cannot_have_happened_is_refused(stage: Stage) -> None:
    broker = stage.begin()
    broker.submit(buy("one"))
    stage.stack.close()
    *_, last = stage.journal.path.read_text().splitlines(keepends=True)
    with stage.journal.path.open("a") as file:
        file.write(last)  # the same client id once more

    with pytest.raises(ContractBroken, match="is not the journal of a rehearsal"):
        stage.start()


def test_nothing_is_answered_while_the_stored_market_cannot_be_read(stage: Stage) -> None:
    broker = stage.begin()
    broker.account()
    stage.pass_on("12:30", bar("11:30"))
    stage.stored.failure = AdapterError("PostgreSQL does not answer")

    acknowledged = broker.submit(buy("unlucky"))

    assert (acknowledged.status, acknowledged.http_status) == (OrderStatus.SUBMIT_UNKNOWN, 503)
    stage.stored.failure = None
    assert broker.open_orders() == []
