"""What happened at a rehearsal's venue, line by line in a file: from it the venue is made again after a restart.

The venue's ids follow from what it was asked, so the same lines give the same account, orders and records.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from trading_assets.adapters.errors import ContractBroken
from trading_assets.domain.execution.fill_model import FillModel
from trading_assets.domain.execution.venue import Venue
from trading_assets.domain.market.bars import Bar
from trading_assets.domain.market.instruments import Instrument

Line = dict[str, Any]
_DAYS = ("first_session", "listed_on", "delisted_on")


@dataclass(frozen=True, slots=True)
class Beginning:
    """How a venue began: `at` UTC, money in USD."""

    account_number: str
    at: datetime
    cash_usd: Decimal
    slippage_bps: Decimal
    volume_limit: Decimal

    def venue(self) -> Venue:
        """A venue where nothing has happened yet and nothing can be traded."""
        model = FillModel(self.slippage_bps, self.volume_limit)
        return Venue(self.at, self.cash_usd, model, (), self.account_number)


@dataclass(frozen=True)
class Journal:
    """The lines of one venue in the file at `path`. Each is written when what it tells has happened."""

    path: Path

    def begin(self, beginning: Beginning) -> None:
        """The first line of a new file. Raises FileExistsError."""
        self.path.touch(mode=0o600, exist_ok=False)
        self._append(asdict(beginning))

    def beginning(self) -> Beginning:
        """Raises ContractBroken for a file that is no journal."""
        try:
            line = self._lines()[0]
            at = datetime.fromisoformat(line["at"])
            cash_usd, slippage_bps, volume_limit = (
                Decimal(line[name]) for name in ("cash_usd", "slippage_bps", "volume_limit")
            )
        except (LookupError, TypeError, ValueError, ArithmeticError) as error:
            raise self._broken() from error
        return Beginning(str(line["account_number"]), at, cash_usd, slippage_bps, volume_limit)

    def newest_time(self) -> datetime:
        """The time of the venue when the last line was written, UTC. Raises ContractBroken."""
        self.beginning()
        return datetime.fromisoformat(self._lines()[-1]["at"])

    def add_request(self, at: datetime, request: Line) -> None:
        """A request that changed something, as it arrived when the venue's time was `at` (UTC)."""
        self._append({"at": at, "request": request})

    def add_bars(self, at: datetime, bars: Sequence[Bar]) -> None:
        """Bars of one period that were traded, beginning when the venue's time was `at` (UTC)."""
        self._append({"at": at, "bars": [asdict(bar) for bar in bars]})

    def add_instruments(self, at: datetime, instruments: Sequence[Instrument], last_prices: Sequence[Decimal]) -> None:
        """Instruments that can be traded from `at` (UTC) on, and the prices of their last trades until then."""
        self._append({"at": at, "instruments": [asdict(one) for one in instruments], "last_prices": [*last_prices]})

    def repeat(
        self,
        advance: Callable[[datetime], object],
        ask: Callable[[Line], object],
        trade: Callable[[Sequence[Bar]], object],
        list_instruments: Callable[[Sequence[Instrument], Sequence[Decimal]], object],
    ) -> None:
        """Let everything happen once more, in order. Raises ContractBroken for what cannot have happened."""
        try:
            for line in self._lines()[1:]:
                advance(datetime.fromisoformat(line["at"]))
                if "request" in line:
                    ask(line["request"])
                elif "bars" in line:
                    trade([_bar(values) for values in line["bars"]])
                else:
                    prices = [Decimal(price) for price in line["last_prices"]]
                    list_instruments([_instrument(values) for values in line["instruments"]], prices)
        except (LookupError, TypeError, ValueError, ArithmeticError) as error:
            raise self._broken() from error

    def _lines(self) -> list[Line]:
        content = self.path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if whole != content:
            # The process died while it wrote the rest, and has told nobody of it.
            self.path.write_bytes(whole)
        return [json.loads(line) for line in whole.splitlines()]

    def _append(self, line: Line) -> None:
        with self.path.open("ab") as file:
            file.write(json.dumps(line, default=str).encode() + b"\n")

    def _broken(self) -> ContractBroken:
        return ContractBroken(
            f"{self.path} is not the journal of a rehearsal. Move it away: the next one begins with a new account."
        )


def _bar(values: Line) -> Bar:
    ts, closes_at = (datetime.fromisoformat(values[name]) for name in ("ts", "closes_at"))
    numbers = {name: Decimal(values[name]) for name in ("open", "high", "low", "close", "volume")}
    return Bar(values["symbol"], ts, closes_at, session_date=date.fromisoformat(values["session_date"]), **numbers)


def _instrument(values: Line) -> Instrument:
    days = {name: values[name] and date.fromisoformat(values[name]) for name in _DAYS}
    return Instrument(**(values | days))
