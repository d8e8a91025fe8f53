"""What the graph asks of the outside world, as protocols. Adapters implement them; tests and backfills swap them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    import threading

    import pandas as pd

    from trading_assets.adapters.postgres.events import Event
    from trading_assets.domain.execution.broker_records import (
        Acknowledgement,
        ActivityRecord,
        BrokerAccount,
        BrokerClock,
        BrokerOrder,
        BrokerPosition,
        Hint,
        OrderRequest,
        Replacement,
    )
    from trading_assets.domain.market.broker_calendar import BrokerSession
    from trading_assets.domain.market.corporate_actions import CorporateAction
    from trading_assets.domain.market.fundamentals import ObservedFact, ReportedFigure
    from trading_assets.domain.market.instruments import Instrument
    from trading_assets.domain.market.quotes import Quote
    from trading_assets.domain.notification.messages import Channel, Message
    from trading_assets.domain.values import Timeframe


class Clock(Protocol):
    def now(self) -> datetime:
        """The current time, tz-aware UTC."""
        ...


class BarSource(Protocol):
    """A vendor's history. Raises AdapterError: NotFound for an unknown symbol, ContractBroken for a broken row."""

    name: str

    def instruments(self, symbols: Sequence[str]) -> list[Instrument]: ...

    def bars(
        self, symbols: Sequence[str], timeframe: Timeframe, first: date, last: date, until: datetime
    ) -> pd.DataFrame:
        """Raw bars of the sessions first..last that have closed by `until`, columns BAR_COLUMNS, by symbol and ts."""
        ...

    def corporate_actions(self, symbols: Sequence[str], first: date, last: date) -> list[CorporateAction]:
        """Actions with an ex-date in first..last."""
        ...


@runtime_checkable
class FundamentalsSource(Protocol):
    """What a vendor knows about companies. Raises AdapterError: NotFound for an unknown symbol."""

    name: str

    def figures(self, symbols: Sequence[str]) -> list[ReportedFigure]:
        """The lines of all statements that the vendor has, as they stand today."""
        ...

    def facts(self, symbols: Sequence[str]) -> list[ObservedFact]:
        """Profile, statistics, dates, recommendations and holders, as they stand today."""
        ...


@runtime_checkable
class CalendarSource(Protocol):
    """A broker's trading days. Raises AdapterError."""

    name: str

    def calendar(self, first: date, last: date) -> list[BrokerSession]:
        """Every day of first..last in order, those without trading included."""
        ...


@runtime_checkable
class QuoteSource(Protocol):
    """A vendor's best bids and offers of this moment. Raises AdapterError."""

    name: str

    def latest_quotes(self, symbols: Sequence[str]) -> list[Quote]:
        """The newest quote of each of `symbols` that the vendor has one of, by symbol."""
        ...


class Broker(Protocol):
    """Where orders are sent. Raises AdapterError, and NotFound only when the broker itself says that there is none.

    Nothing is tried twice. What a broker says is read as far as it can be: see domain/execution/broker_records.py.
    The contract is tested by tests/contract/test_broker_conformance.py, which any implementation can run.
    """

    name: str

    @property
    def key_venue(self) -> str:
        """What the key in use is for: the broker, and whether paper or live."""
        ...

    def account(self) -> BrokerAccount: ...

    def clock(self) -> BrokerClock: ...

    def calendar(self, first: date, last: date) -> list[BrokerSession]:
        """Every day of first..last in order, those without trading included."""
        ...

    def assets(self, symbols: Sequence[str]) -> list[Instrument]:
        """The named instruments, in the order asked for; one that the broker does not know is left out."""
        ...

    def submit(self, request: OrderRequest) -> Acknowledgement:
        """Send the order exactly once. An AdapterError means that nothing was sent.

        SUBMIT_UNKNOWN: it may or may not have arrived; ask by client id, and never send again before that is settled.
        """
        ...

    def cancel(self, broker_order_id: str) -> BrokerOrder:
        """Ask for cancellation, which may be repeated; returns the order as it stands then. Only its status counts."""
        ...

    def replace(self, broker_order_id: str, replacement: Replacement) -> Acknowledgement:
        """Ask for a new order in place of one, exactly once, as `submit`. ACKED does not mean that it was replaced."""
        ...

    def order(self, broker_order_id: str) -> BrokerOrder: ...

    def order_by_client_id(self, client_order_id: str) -> BrokerOrder: ...

    def open_orders(self) -> list[BrokerOrder]:
        """All orders that are not over, legs included, by submission."""
        ...

    def orders_since(self, after: datetime) -> list[BrokerOrder]:
        """All orders submitted later than `after`, whatever their status, legs included, by submission."""
        ...

    def positions(self) -> list[BrokerPosition]: ...

    def activities_since(self, after: datetime) -> list[ActivityRecord]:
        """Executions, busts, corrections, fees, dividends and whatever else was booked after `after`, oldest first."""
        ...

    def corporate_actions(self, symbols: Sequence[str], first: date, last: date) -> list[CorporateAction]:
        """Actions with an ex-date in first..last."""
        ...

    def quotes(self, symbols: Sequence[str]) -> list[Quote]:
        """The newest bid and ask of each of `symbols` that has one, by symbol."""
        ...

    def suspend_trade(self, is_suspended: bool) -> None:
        """Let the broker itself refuse new orders of the account, or take them again."""
        ...

    def order_updates(self, stopping: threading.Event) -> Iterator[Hint]:
        """Hints, until `stopping` is set; each begins anew with StreamOpened after the connection was lost.

        StreamAlive comes every few seconds while the connection answers, so that a mute one is told from a quiet one.
        """
        ...


@dataclass(frozen=True)
class CacheEntry:
    """A hot copy. Versions of one schema compare as text; neither may contain a space."""

    schema: str
    version: str
    content: str


class Cache(Protocol):
    """Hot copies of what PostgreSQL knows. Whatever is missing can be read there. Raises Unreachable."""

    def read(self, group: str, names: Sequence[str]) -> dict[str, CacheEntry]:
        """The entries that there are, by name; one without the shape of an entry has schema and version empty."""
        ...

    def write(self, group: str, entries: Mapping[str, CacheEntry], broken: Mapping[str, CacheEntry] = ...) -> int:
        """Write in one step what is not older than the entry of its schema that is there; returns how many were.

        An entry that is still as in `broken` is replaced whatever version it claims.
        """
        ...


class EventBus(Protocol):
    """The newest events of `ops.events`, in order, for whoever wants to react early. Raises Unreachable.

    Losing one loses nothing: PostgreSQL is the truth. `cache` is kept at least as new as the newest event here.
    """

    cache: Cache

    def newest(self) -> Event | None:
        """The newest event that was passed on; None when there is none, or nothing that can be read."""
        ...

    def append(self, events: Sequence[Event], announced: int) -> None:
        """Pass on all of these or none; an event that is there already stays. Announce those after `announced`."""
        ...

    def read(self, after: int) -> list[Event]:
        """Events with greater numbers than `after`, as soon as there are any; none after a few seconds without."""
        ...

    def clear(self) -> None:
        """Forget every event and every cached entry."""
        ...


class Notifier(Protocol):
    """One way to reach a person. Raises AdapterError when the message was not accepted."""

    channel: Channel

    def send(self, message: Message) -> None: ...
