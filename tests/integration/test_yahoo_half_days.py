"""Half days of Yahoo: the hour that its hours lack, out of its half hours, else from a fall-back, else not at all."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from standins.http_vendor import Reply, VendorStandIn
from standins.yahoo_chart import Row, chart, refusal, rows_of, split

from trading_assets.adapters import yahoo as yahoo_module
from trading_assets.adapters.bar_sources import FallbackSource
from trading_assets.adapters.errors import AdapterError, Unreachable
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.market import store_bars
from trading_assets.adapters.postgres.vendor_responses import SharedTokenBucket, StoredResponses, stored_fetches
from trading_assets.adapters.sample import SampleSource
from trading_assets.adapters.vendor_gateway import VendorGateway, json_object
from trading_assets.adapters.yahoo import YahooSource
from trading_assets.adapters.yahoo_half_days import half_day_ends_in
from trading_assets.domain.market.bars import BAR_COLUMNS
from trading_assets.domain.market.regrid import grid_of
from trading_assets.domain.values import Timeframe

HOUR = Timeframe.HOUR
FIRST, HALF_DAY = date(2024, 7, 2), date(2024, 7, 3)
END = datetime(2024, 7, 3, 16, 30, tzinfo=UTC)
LATER = datetime(2024, 8, 1, tzinfo=UTC)
CHART = "/v8/finance/chart/X"


def half_hours() -> list[Row]:
    """Seven bars a half hour apart, the last from 12:30 to 13:00 New York time, at 20."""
    begin = int(datetime(2024, 7, 3, 13, 30, tzinfo=UTC).timestamp())
    return [(begin + 1800 * number, 20.0, 21.0, 19.0, 20.5, 300 + number) for number in range(7)]


@pytest.fixture
def yahoo(monkeypatch: pytest.MonkeyPatch) -> Iterator[VendorStandIn]:
    monkeypatch.setattr(yahoo_module, "HALF_HOURS_KEPT", timedelta(days=20_000))
    with VendorStandIn().running() as standin:
        standin.routes["/"] = Reply("", 404, {"Set-Cookie": "A3=secret; Path=/"})
        standin.routes["/v1/test/getcrumb"] = Reply("crumbled", headers={"Content-Type": "text/plain"})
        yield standin


@pytest.fixture
def answer(yahoo: VendorStandIn) -> Callable[[Reply], None]:
    """Hours without the last one of the half day, and `fine` for who asks for half hours."""

    def prepare(fine: Reply) -> None:
        hours = Reply(chart(rows_of(FIRST, HALF_DAY, HOUR)[:-1]))
        yahoo.routes[CHART] = lambda asked: fine if asked.query["interval"] == "30m" else hours

    return prepare


@pytest.fixture
def source(database: Database, yahoo: VendorStandIn, tmp_path: Path) -> YahooSource:
    limiter = SharedTokenBucket(database, "yahoo:test", capacity=1000, per_minute=60_000)
    return YahooSource(
        VendorGateway("yahoo", limiter, StoredResponses(database), check=json_object), yahoo.url, tmp_path
    )


def intervals(yahoo: VendorStandIn) -> list[str]:
    return [asked.query["interval"] for asked in yahoo.asked if asked.path == CHART]


def test_last_hour_comes_from_half_hours_and_says_so(
    source: YahooSource, yahoo: VendorStandIn, answer: Callable[[Reply], None], database: Database
) -> None:
    answer(Reply(chart(half_hours(), dataGranularity="30m")))

    bars = source.bars(["X"], HOUR, FIRST, HALF_DAY, LATER)

    assert len(bars) == 11
    end = bars.iloc[-1]
    assert (end["ts"], end["closes_at"]) == (END, END + timedelta(minutes=30))
    assert (end["open"], end["high"], end["low"], end["close"], end["volume"]) == (20.0, 21.0, 19.0, 20.5, 306.0)
    assert list(bars["source"]) == [*["yahoo"] * 10, "yahoo_30m"]
    assert intervals(yahoo) == ["1h", "30m"]
    (fetch,) = stored_fetches(database, "yahoo", "half_day_ends/1h")
    assert end["response_id"] == fetch.pages[0].response_id
    assert len(half_day_ends_in(fetch)[0]) == 1
    with database.transaction() as connection:
        assert store_bars(connection, bars) == 11


def test_later_split_is_taken_out_of_the_half_hour_too(source: YahooSource, answer: Callable[[Reply], None]) -> None:
    answer(Reply(chart(half_hours(), events={"splits": split("2024-07-15", 4)}, dataGranularity="30m")))
    end = source.bars(["X"], HOUR, FIRST, HALF_DAY, LATER).iloc[-1]
    assert (end["close"], end["volume"]) == (82.0, 76.0)


@pytest.mark.parametrize(
    "fine",
    [
        Reply(chart(half_hours()[:-1], dataGranularity="30m")),
        Reply(refusal("The requested range must be within the last 60 days."), 422),
    ],
)
def test_nothing_is_made_up_where_yahoo_has_no_half_hour(
    source: YahooSource, answer: Callable[[Reply], None], fine: Reply
) -> None:
    answer(fine)
    bars = source.bars(["X"], HOUR, FIRST, HALF_DAY, LATER)
    assert len(bars) == 10
    assert set(bars["source"]) == {"yahoo"}


def test_half_hours_are_not_asked_for_when_they_are_too_old_or_not_needed(
    source: YahooSource, yahoo: VendorStandIn, answer: Callable[[Reply], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    yahoo.routes[CHART] = Reply(chart(rows_of(FIRST, HALF_DAY, HOUR)))
    assert len(source.bars(["X"], HOUR, FIRST, HALF_DAY, LATER)) == 11
    monkeypatch.setattr(yahoo_module, "HALF_HOURS_KEPT", timedelta(days=59))
    answer(Reply("must not be asked for", 500))
    assert len(source.bars(["X"], HOUR, FIRST, HALF_DAY, LATER)) == 10
    assert intervals(yahoo) == ["1h", "1h"]


# Fall-backs --------------------------------------------------------------------------------------


class Prepared(SampleSource):
    """Answers with the hours it was given, or with a failure."""

    def __init__(self, name: str, hours: pd.DataFrame, failure: AdapterError | None = None) -> None:
        super().__init__()
        self.name, self.hours, self.failure = name, hours, failure
        self.asked: list[tuple[list[str], date, date]] = []

    def bars(
        self, symbols: Sequence[str], timeframe: Timeframe, first: date, last: date, until: datetime
    ) -> pd.DataFrame:
        self.asked.append((list(symbols), first, last))
        if self.failure:
            raise self.failure
        hours = self.hours[self.hours["symbol"].isin(symbols)]
        return hours[hours["session_date"].between(first, last)]


def hours_of(source: str, symbols: Sequence[str] = ("X", "Y"), price: float = 10.0) -> pd.DataFrame:
    grid = grid_of([FIRST, HALF_DAY], HOUR)
    values = dict.fromkeys(("open", "high", "low", "close"), price)
    frames = [grid.assign(symbol=symbol, timeframe="1h", source=source, volume=1.0, **values) for symbol in symbols]
    return pd.concat(frames, ignore_index=True)[list(BAR_COLUMNS)]


def lacking_the_end(hours: pd.DataFrame, symbol: str = "X") -> pd.DataFrame:
    return hours[(hours["symbol"] != symbol) | (hours["ts"] != END)]


def test_fallback_gives_the_missing_hour_and_nothing_else() -> None:
    second = Prepared("alpaca", hours_of("alpaca", price=11.0))
    source = FallbackSource([Prepared("yahoo", lacking_the_end(hours_of("yahoo"))), second])

    bars = source.bars(["X", "Y"], HOUR, FIRST, HALF_DAY, LATER)

    assert second.asked == [(["X"], HALF_DAY, HALF_DAY)]
    assert len(bars) == 22
    (end,) = bars[bars["source"] == "alpaca"].to_dict("records")
    assert (end["symbol"], end["ts"], end["close"]) == ("X", END, 11.0)
    assert source.name == "yahoo"


def test_fallback_that_fails_or_lacks_the_hour_leaves_the_gap(caplog: pytest.LogCaptureFixture) -> None:
    failing = Prepared("polygon", hours_of("polygon"), Unreachable("polygon is away"))
    lacking = Prepared("alpaca", lacking_the_end(hours_of("alpaca")))
    source = FallbackSource([Prepared("yahoo", lacking_the_end(hours_of("yahoo"))), failing, lacking])
    assert len(source.bars(["X", "Y"], HOUR, FIRST, HALF_DAY, LATER)) == 21
    assert "polygon has no last hour of 2024-07-03 either: polygon is away" in caplog.text


def test_gap_of_another_source_is_not_filled_by_a_fallback() -> None:
    second = Prepared("yahoo", hours_of("yahoo"))
    source = FallbackSource([Prepared("alpaca", lacking_the_end(hours_of("alpaca"))), second])
    assert len(source.bars(["X", "Y"], HOUR, FIRST, HALF_DAY, LATER)) == 21
    assert second.asked == []
