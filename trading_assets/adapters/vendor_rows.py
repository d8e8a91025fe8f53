"""Rows of a vendor's answers, judged one by one: good ones become bars, bad ones are set aside.

Every row that came in is either used or quarantined with a reason; none is dropped or repaired in silence. What the
fields are called belongs in the vendor's own adapter, what rows of corporate actions mean in vendor_actions.py.
"""

from __future__ import annotations

import json
from bisect import bisect
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, field_validator

from trading_assets.adapters.errors import ContractBroken
from trading_assets.adapters.vendor_gateway import QuarantinedRow
from trading_assets.domain.market.bars import BAR_COLUMNS
from trading_assets.domain.market.regrid import grid_of, regrid
from trading_assets.domain.market.sessions import NEW_YORK, is_session
from trading_assets.domain.values import Timeframe

if TYPE_CHECKING:
    import pandas as pd

FINE_STEP = timedelta(minutes=30)
"""The coarsest bars of which both the hours from 09:30 on and a half day's end are whole sums."""
DAY = timedelta(days=1)
ROW_LENGTH = 2000


def _iso_date(value: object) -> date:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is no date such as 2024-05-31")  # noqa: TRY004  pydantic reports ValueError
    return date.fromisoformat(value)


WireDate = Annotated[date, BeforeValidator(_iso_date)]


class WireModel(BaseModel):
    """A row as it comes over the wire: no type is guessed, no number may be infinite, new fields are fine."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True, allow_inf_nan=False)


Model = TypeVar("Model", bound=WireModel)
AnyModel = TypeVar("AnyModel", bound=WireModel, covariant=True)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row stood."""

    response_id: int
    section: str
    position: int


@dataclass(frozen=True, slots=True)
class Row(Generic[AnyModel]):
    place: Place
    model: AnyModel
    raw: Any


@dataclass(slots=True)
class Quarantine:
    """Rows set aside while the answers to one question are read."""

    rows: list[QuarantinedRow] = field(default_factory=list)

    def add(self, place: Place, raw: Any, reason: str) -> None:
        text = json.dumps(raw)[:ROW_LENGTH]
        section, reason = _storable(place.section), _storable(reason)
        self.rows.append(QuarantinedRow(place.response_id, section, place.position, reason, text))


def sift(model: type[Model], rows: object, response_id: int, section: str, quarantine: Quarantine) -> list[Row[Model]]:
    """The rows that `model` accepts; the others are quarantined. A missing list is an empty one.

    Raises ContractBroken when `rows` is no list.
    """
    if rows is None:
        return []
    if not isinstance(rows, list):
        raise ContractBroken(f"Response {response_id}: {section} is a {type(rows).__name__}, not a list of rows.")
    good = []
    for position, raw in enumerate(rows):
        place = Place(response_id, section, position)
        try:
            good.append(Row(place, model.model_validate(raw), raw))
        except ValidationError as error:
            quarantine.add(place, raw, explain(error))
    return good


def _storable(text: str) -> str:
    """What a vendor wrote, with NUL and half characters, which no database takes, spelled out."""
    return text.encode("ascii", "backslashreplace").decode().replace("\0", "\\x00")


def explain(error: ValidationError) -> str:
    """The first complaint about a row, in a few words."""
    problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(str(step) for step in problem["loc"])
    return f"{where}: {problem['msg']}" if where else problem["msg"]


# Bars --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BarQuestion:
    """Which bars were asked for. `until`: bars that close later are not final."""

    symbols: tuple[str, ...]
    timeframe: Timeframe
    first: date
    last: date
    until: datetime

    def as_json(self) -> dict[str, Any]:
        return {
            "symbols": list(self.symbols),
            "timeframe": str(self.timeframe),
            "first": self.first.isoformat(),
            "last": self.last.isoformat(),
            "until": self.until.isoformat(),
        }

    @classmethod
    def of_json(cls, question: Mapping[str, Any]) -> BarQuestion:
        return cls(
            tuple(question["symbols"]),
            Timeframe(question["timeframe"]),
            date.fromisoformat(question["first"]),
            date.fromisoformat(question["last"]),
            datetime.fromisoformat(question["until"]),
        )


class WireBar(WireModel):
    """What the bars of every vendor have in common. `ts` is the start, tz-aware; prices in USD, volume in shares."""

    ts: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float

    @field_validator("ts")
    @classmethod
    def _of_our_time(cls, ts: datetime) -> datetime:
        # Arithmetic with the first and the last years that Python knows overflows.
        if not 1900 <= ts.year <= 2199:
            raise ValueError(f"the year {ts.year} is no year of a bar")
        return ts

    def fault(self) -> str | None:
        """What is wrong with the numbers, None when nothing is."""
        if self.low <= 0:
            return f"a price of {self.low:g} is not positive"
        if self.volume < 0:
            return f"a volume of {self.volume:g} is negative"
        if self.high < max(self.open, self.low, self.close):
            return f"high {self.high:g} is below another price of the bar"
        if self.low > min(self.open, self.close):
            return f"low {self.low:g} is above another price of the bar"
        return None


@dataclass(frozen=True, slots=True)
class BarList:
    """The rows of one symbol in one answer, as they came."""

    symbol: str
    response_id: int
    rows: object


def read_bars(
    question: BarQuestion, lists: Iterable[BarList], model: type[WireBar], source: str
) -> tuple[pd.DataFrame, list[QuarantinedRow]]:
    """The final bars that the answers hold, and the rows that were set aside.

    Hours are added up from rows of FINE_STEP, sessions come from rows that start at midnight New York time. The frame
    has BAR_COLUMNS and `response_id`, by symbol and ts. A bar that a doubtful row would have been part of is left out:
    half an hour is no hour. Raises ContractBroken for what is no list of rows.
    """
    quarantine = Quarantine()
    step = FINE_STEP if question.timeframe is Timeframe.HOUR else DAY
    kept: dict[tuple[str, datetime], list[Row[WireBar]]] = defaultdict(list)
    doubts: list[tuple[str, datetime, datetime]] = []
    for answer in lists:
        before = len(quarantine.rows)
        rows = sift(model, answer.rows, answer.response_id, answer.symbol, quarantine)
        doubts += _spans_of_lost_rows(answer.symbol, rows, quarantine.rows[before:], question, step)
        for row in rows:
            if answer.symbol not in question.symbols:
                quarantine.add(row.place, row.raw, f"{answer.symbol} was not asked for")
            elif (reason := _misplacement(row.model.ts, question)) is not None:
                quarantine.add(row.place, row.raw, reason)
            elif (reason := row.model.fault()) is not None:
                quarantine.add(row.place, row.raw, reason)
                doubts.append((answer.symbol, row.model.ts, row.model.ts + step))
            else:
                kept[answer.symbol, row.model.ts].append(row)
    bars = []
    for (symbol, ts), rows in kept.items():
        first, *others = rows
        if all(other.model == first.model for other in others):
            bars.append((symbol, ts, first))
            for other in others:
                quarantine.add(other.place, other.raw, repeats(first.place))
        else:
            doubts.append((symbol, ts, ts + step))
            for row in rows:
                quarantine.add(row.place, row.raw, f"{len(rows)} rows for {symbol} {ts:%Y-%m-%d %H:%MZ} contradict")
    return _final_bars(question, bars, doubts, source), quarantine.rows


def _misplacement(ts: datetime, question: BarQuestion) -> str | None:
    local = ts.astimezone(NEW_YORK)
    if not question.first <= local.date() <= question.last:
        return f"{ts.isoformat()} lies outside of what was asked for"
    if question.timeframe is Timeframe.HOUR:
        aligned = (local.minute * 60 + local.second) % FINE_STEP.seconds == 0 and local.microsecond == 0
        return None if aligned else f"{ts.isoformat()} is not the start of a half hour"
    if local.time() != datetime.min.time():
        return f"{ts.isoformat()} is not midnight in New York"
    return None if is_session(local.date()) else f"{local.date()} is a day without trading"


def _spans_of_lost_rows(
    symbol: str,
    good: Sequence[Row[WireBar]],
    lost: Sequence[QuarantinedRow],
    question: BarQuestion,
    step: timedelta,
) -> list[tuple[str, datetime, datetime]]:
    """When an unreadable row may have been: between its readable neighbours, for rows come in the order of time."""
    begin = datetime.combine(question.first, datetime.min.time(), NEW_YORK)
    end = datetime.combine(question.last, datetime.min.time(), NEW_YORK) + DAY
    positions = [row.place.position for row in good]
    spans = []
    for row in lost:
        after = bisect(positions, row.position)
        earlier = good[after - 1].model.ts + step if after else begin
        later = good[after].model.ts if after < len(good) else end
        spans.append((symbol, earlier, later))
    return spans


def _final_bars(
    question: BarQuestion,
    bars: Sequence[tuple[str, datetime, Row[WireBar]]],
    doubts: Sequence[tuple[str, datetime, datetime]],
    source: str,
) -> pd.DataFrame:
    import pandas as pd

    columns = ["symbol", "ts", "open", "high", "low", "close", "volume", "response_id"]
    records = [
        (symbol, ts, m.open, m.high, m.low, m.close, m.volume, row.place.response_id)
        for symbol, ts, row in bars
        for m in [row.model]
    ]
    frame = pd.DataFrame(records, columns=columns)
    frame["ts"] = pd.to_datetime(frame["ts"], utc=True).astype("datetime64[us, UTC]")
    frame["symbol"] = frame["symbol"].astype("str")
    for column in ("open", "high", "low", "close", "volume"):
        frame[column] = frame[column].astype("float64")
    frame["response_id"] = frame["response_id"].astype("int64")
    frame = frame.sort_values(["symbol", "ts"], ignore_index=True)
    final = _hours(frame, question) if question.timeframe is Timeframe.HOUR else _sessions(frame, question)
    final["source"] = source
    doubtful = pd.Series(False, index=final.index)
    for symbol, begin, end in doubts:
        doubtful |= (final["symbol"] == symbol) & (final["ts"] < end) & (final["closes_at"] > begin)
    return final.loc[~doubtful, [*BAR_COLUMNS, "response_id"]].reset_index(drop=True)


def _hours(frame: pd.DataFrame, question: BarQuestion) -> pd.DataFrame:
    import pandas as pd

    hours = regrid(frame, question.timeframe, FINE_STEP, question.until).astype({"symbol": "str"})
    order = hours.sort_values("closes_at")
    newest = frame[["symbol", "ts", "response_id"]].rename(columns={"ts": "row_ts"}).sort_values("row_ts")
    joined = pd.merge_asof(
        order, newest, left_on="closes_at", right_on="row_ts", by="symbol", allow_exact_matches=False
    )
    return joined.sort_values(["symbol", "ts"], ignore_index=True)


def _sessions(frame: pd.DataFrame, question: BarQuestion) -> pd.DataFrame:
    frame = frame.assign(session_date=frame["ts"].dt.tz_convert(NEW_YORK).dt.date, timeframe=str(question.timeframe))
    grid = grid_of(frame["session_date"].unique(), question.timeframe)
    placed = frame.drop(columns="ts").merge(grid, on="session_date", how="left")
    return placed[placed["closes_at"] <= question.until].reset_index(drop=True)


def repeats(place: Place) -> str:
    """Why a row that says what another one said is set aside."""
    return f"repeats row {place.position} of {place.section} in response {place.response_id}"


# Symbols -----------------------------------------------------------------------------------------


def vendor_names(symbols: Iterable[str], spelled: Callable[[str], str]) -> dict[str, str]:
    """The vendor's spelling of each symbol to ours, such as BRK.B to BRK-B."""
    return {spelled(symbol): symbol for symbol in symbols}


def with_dots(symbol: str) -> str:
    """BRK-B as BRK.B, the way Alpaca and Polygon write classes of shares."""
    return symbol.replace("-", ".")
