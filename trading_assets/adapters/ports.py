"""What the graph asks of the outside world, as protocols. Adapters implement them; tests and backfills swap them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    import pandas as pd

    from trading_assets.domain.market.broker_calendar import BrokerSession
    from trading_assets.domain.market.corporate_actions import CorporateAction
    from trading_assets.domain.market.fundamentals import ObservedFact, ReportedFigure
    from trading_assets.domain.market.instruments import Instrument
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


class EventBus(Protocol):
    """Hints for whoever wants to react early. Losing one loses nothing: PostgreSQL is the truth."""

    def publish(self, topic: str, facts: dict[str, str]) -> None: ...


class Notifier(Protocol):
    """One way to reach a person. Raises AdapterError when the message was not accepted."""

    channel: Channel

    def send(self, message: Message) -> None: ...
