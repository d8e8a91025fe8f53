"""What Yahoo's answers say: which rows become bars, how they become raw, and what is set aside or refused."""

import json
import random
import uuid
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest
from standins.yahoo_chart import Row, at, chart, dividend, profile, rows_of, split

from trading_assets.adapters.errors import ContractBroken
from trading_assets.adapters.vendor_gateway import Fetch, Page
from trading_assets.adapters.yahoo_wire import actions_in, bars_in, explanation, instrument_in
from trading_assets.domain.market.bars import BAR_COLUMNS
from trading_assets.domain.market.corporate_actions import ActionKind, CorporateAction
from trading_assets.domain.market.sessions import bar_bounds
from trading_assets.domain.values import Timeframe

HOUR, SESSION = Timeframe
DAY, HALF_DAY = date(2024, 7, 2), date(2024, 7, 3)
URL = "https://query2.finance.yahoo.com/v8/finance/chart/X?interval=1h"


def fetched(body: Any, **question: str) -> Fetch:
    asked = {
        "symbol": "X",
        "timeframe": "1h",
        "first": "2024-07-01",
        "last": "2024-07-05",
        "until": "2100-01-01T00:00:00+00:00",
        "asked_at": "2025-01-02T12:00:00+00:00",
    }
    page = Page(7, URL, body if isinstance(body, bytes) else json.dumps(body).encode())
    return Fetch(uuid.uuid4(), "yahoo", "bars", asked | question, [page])


def bars_of(rows: list[Row], timeframe: Timeframe = HOUR, **question: str) -> pd.DataFrame:
    bars, quarantined = bars_in(fetched(chart(rows, timeframe), timeframe=str(timeframe), **question))
    assert quarantined == []
    return bars


def hour(ts: str, *values: Any) -> Row:
    return (at(ts), *(values or (10.0, 11.0, 9.0, 10.5, 1000)))


def test_hours_of_a_session_become_bars() -> None:
    bars = bars_of(rows_of(DAY, DAY, HOUR))
    assert tuple(bars.columns) == (*BAR_COLUMNS, "response_id")
    assert set(bars["response_id"]) == {7}
    assert list(zip(bars["ts"], bars["closes_at"], strict=True)) == list(bar_bounds(DAY, HOUR))
    assert bars.iloc[0][["symbol", "timeframe", "session_date", "close", "volume", "source"]].to_list() == [
        "X",
        "1h",
        DAY,
        10.5,
        1000.0,
        "yahoo",
    ]


def test_extended_hours_and_the_quote_at_the_end_are_no_bars() -> None:
    outside = [
        hour("2024-07-02T12:30"),
        hour("2024-07-02T20:00"),
        hour("2024-07-02T18:12:07"),
        hour("2024-07-04T14:30"),
    ]
    assert len(bars_of([*rows_of(DAY, DAY, HOUR), *outside])) == 7


def test_half_day_ends_at_one_and_nothing_is_filled_in() -> None:
    # As Yahoo sends it: no bar from 12:30 on, and late trades in bars that look regular by the clock.
    late = [hour("2024-07-03T17:00"), hour("2024-07-03T17:30"), hour("2024-07-03T18:30"), hour("2024-07-03T19:30")]
    bars = bars_of([*rows_of(HALF_DAY, HALF_DAY, HOUR)[:3], *late])
    assert [f"{ts:%H:%M}" for ts in bars["ts"]] == ["13:30", "14:30", "15:30"]


def test_regular_bar_without_volume_is_kept() -> None:
    assert bars_of([hour("2024-07-02T13:30", 10, 11, 9, 10, 0)])["volume"].to_list() == [0.0]


def test_row_without_any_price_is_no_bar() -> None:
    assert len(bars_of([hour("2024-07-02T13:30"), hour("2024-07-02T14:30", None, None, None, None, None)])) == 1


def test_bars_outside_the_range_are_left_out() -> None:
    assert bars_of(rows_of(DAY, DAY, HOUR), first="2024-07-03").empty
    assert bars_of(rows_of(DAY, DAY, SESSION), SESSION, last="2024-07-01").empty


@pytest.mark.parametrize(
    ("asked_at", "last_trade", "until", "count"),
    [
        ("2024-07-02T15:30:01", "2024-07-02T15:30:00", "2024-07-02T15:30:01", 2),
        ("2024-07-02T15:29:59", "2024-07-02T15:29:58", "2024-07-02T15:29:59", 1),
        ("2024-07-02T15:31:00", "2024-07-02T15:16:00", "2024-07-02T15:31:00", 1),
        ("2024-07-02T16:00:00", "2024-07-02T14:50:00", "2024-07-02T16:00:00", 2),
        ("2024-07-02T22:00:00", "2024-07-02T20:00:01", "2024-07-02T14:30:00", 1),
    ],
    ids=["just closed", "still open", "delayed feed", "quiet symbol after settling", "asked for earlier"],
)
def test_bar_that_was_not_final_is_withheld(asked_at: str, last_trade: str, until: str, count: int) -> None:
    body = chart(rows_of(DAY, DAY, HOUR), regularMarketTime=at(last_trade))
    bars, _ = bars_in(fetched(body, asked_at=asked_at + "+00:00", until=until + "+00:00"))
    assert len(bars) == count


def test_day_with_the_time_of_its_last_trade_is_the_bar_of_its_session() -> None:
    rows = [hour("2024-07-01T13:30"), hour("2024-07-02T20:00:01", 20, 22, 19, 21, 5)]
    bars = bars_of(rows, SESSION)
    assert bars["session_date"].to_list() == [date(2024, 7, 1), DAY]
    assert bars["ts"].iloc[1] == bar_bounds(DAY, SESSION)[0].ts
    again = [hour("2024-07-02T13:30"), hour("2024-07-02T20:00:01", 20, 22, 19, 21, 5)]
    assert bars_of(again, SESSION)["close"].to_list() == [10.5]


def test_prices_before_a_split_become_raw_and_lose_float_noise() -> None:
    rows = [
        hour("2024-07-01T13:30", 12.08879, 12.089, 12.08869, 12.088999, 50_003),
        hour("2024-07-02T13:30", 120.8, 120.9, 120.7, 120.800003, 7),
    ]
    events = {"splits": split("2024-07-02", 10) | split("2025-06-02", 3, 2), "dividends": {}}
    bars, _ = bars_in(fetched(chart(rows, events=events)))
    assert bars["close"].to_list() == [120.89, 120.8]
    assert bars["volume"].to_list() == [5000.0, 7.0]
    later, _ = bars_in(fetched(chart(rows, events=events), asked_at="2025-06-02T14:00:00+00:00"))
    assert later["close"].to_list() == [181.335, 181.2]


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ((None, 11, 9, 10, 5), "open: Input should be a valid number"),
        ((10, 11, 9, "10", 5), "close: Input should be a valid number"),
        ((10, 11, 0, 10, 5), "low: Input should be greater than 0"),
        ((10, 11, 9, float("nan"), 5), "close: Input should be a finite number"),
        ((10, 10, 9, 10.5, 5), "Value error, high and low do not enclose the prices of the bar"),
        ((10, 11, 9, 10, -1), "volume: Input should be greater than or equal to 0"),
        ((10, 11, 9, 10, None), "volume: Input should be a valid number"),
    ],
)
def test_broken_row_is_set_aside_and_the_others_kept(values: tuple[Any, ...], reason: str) -> None:
    rows = [hour("2024-07-02T13:30"), hour("2024-07-02T14:30", *values), hour("2024-07-02T15:30")]
    bars, quarantined = bars_in(fetched(chart(rows)))
    assert [f"{ts:%H:%M}" for ts in bars["ts"]] == ["13:30", "15:30"]
    (row,) = quarantined
    assert (row.response_id, row.section, row.position, row.reason) == (7, "timestamp", 1, reason)
    assert json.loads(row.row)["ts"] == at("2024-07-02T14:30")


def test_row_that_is_there_twice_counts_once_and_contradicting_ones_not_at_all() -> None:
    same = hour("2024-07-02T13:30")
    rows = [same, same, hour("2024-07-02T14:30"), hour("2024-07-02T14:30", 1, 2, 1, 2, 5), hour("2024-07-02T15:30")]
    bars, quarantined = bars_in(fetched(chart(rows)))
    assert [f"{ts:%H:%M}" for ts in bars["ts"]] == ["13:30", "15:30"]
    assert [(row.position, row.reason.split("twice ")[1]) for row in quarantined] == [
        (1, "with the same values"),
        (2, "with different values"),
        (3, "with different values"),
    ]


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (b"<html>Will be right back</html>", "no JSON"),
        (b"", "an empty body"),
        ({"chart": {"result": None, "error": None}}, "no chart in the answer"),
        ({"chart": {"result": [], "error": None}}, "no chart in the answer"),
        ({"finance": {}}, "no chart in the answer"),
        (chart([], symbol="Y"), "the answer is about Y, asked was X"),
        (chart([], currency="GBp"), "X is quoted in GBp, not in USD"),
        (chart([], exchangeTimezoneName="Europe/London"), "X trades in Europe/London"),
        (chart([], dataGranularity="1d"), "the bars are 1d long, not 1h"),
        (chart([], regularMarketTime="now"), "meta.regularMarketTime: Input should be a valid integer"),
    ],
)
def test_answer_to_another_question_is_refused(body: Any, complaint: str) -> None:
    with pytest.raises(ContractBroken, match=complaint):
        bars_in(fetched(body))


def test_columns_of_different_lengths_are_refused() -> None:
    body = chart(rows_of(DAY, DAY, HOUR))
    body["chart"]["result"][0]["indicators"]["quote"][0]["volume"].pop()
    with pytest.raises(ContractBroken, match=r"response 7.*different lengths, \[6, 7\]"):
        bars_in(fetched(body))


def test_broken_split_is_refused_because_prices_depend_on_it() -> None:
    body = chart(rows_of(DAY, DAY, HOUR), events={"splits": split("2024-07-02", 0)})
    with pytest.raises(ContractBroken, match=r"events\.splits\..*numerator"):
        bars_in(fetched(body))


def test_chart_without_any_row_has_no_bars() -> None:
    body = chart([])
    del body["chart"]["result"][0]["timestamp"]
    body["chart"]["result"][0]["indicators"]["quote"] = [{}]
    bars, quarantined = bars_in(fetched(body))
    assert (tuple(bars.columns), len(bars), quarantined) == ((*BAR_COLUMNS, "response_id"), 0, [])


def mutated(rows: list[Row], rng: random.Random) -> list[Row]:
    values = [0, None, "", "x", -1, 1e308, float("nan"), float("inf"), [], {}, True, 2**70, rows[0][0], 10.25]
    chosen = []
    for row in rows:
        cells = list(row)
        for place in rng.sample(range(6), rng.choice([0, 0, 1, 1, 2])):
            # From the second value on for the time: 1970 is one, of no session asked for.
            cells[place] = rng.choice(values[place == 0 :])
        chosen.append(tuple(cells))
    return chosen


def test_ten_thousand_mutated_rows_are_bars_or_set_aside_and_nothing_escapes() -> None:
    rng = random.Random(20240702)
    kept = aside = empty = 0
    rows = rows_of(date(2024, 1, 2), date(2024, 1, 12), HOUR)
    while kept + aside + empty < 10_000:
        table = mutated(rows, rng)
        fetch = fetched(chart(table), first="2024-01-01", last="2024-01-31")
        bars, quarantined = bars_in(fetch)
        nothing = sum(all(price is None for price in row[1:5]) for row in table)
        assert len(bars) + len(quarantined) + nothing == len(table)
        assert bars[["open", "high", "low", "close"]].gt(0).all().all()
        kept, aside, empty = kept + len(bars), aside + len(quarantined), empty + nothing
    assert kept > 3000
    assert aside > 3000


def test_actions_are_raw_and_cut_to_the_range() -> None:
    events = {
        "splits": split("2024-07-03", 4) | split("2024-12-02", 7),
        "dividends": dividend("2024-07-02", 0.108929) | dividend("2024-07-05", 0.117143) | dividend("2024-08-01", 1),
    }
    actions, quarantined = actions_in(fetched(chart([], SESSION, events)))
    assert quarantined == []
    assert actions == [
        CorporateAction("X", DAY, ActionKind.CASH_DIVIDEND, amount_usd=Decimal("3.05")),
        CorporateAction("X", HALF_DAY, ActionKind.SPLIT, split_ratio=Decimal(4)),
        CorporateAction("X", date(2024, 7, 5), ActionKind.CASH_DIVIDEND, amount_usd=Decimal("0.82")),
    ]


def test_broken_dividend_is_set_aside() -> None:
    events = {"dividends": dividend("2024-07-02", 0.5) | dividend("2024-07-03", -1)}
    actions, quarantined = actions_in(fetched(chart([], SESSION, events)))
    assert [action.ex_date for action in actions] == [DAY]
    assert [(row.section, row.position) for row in quarantined] == [("events.dividends", 1)]


def test_class_share_is_asked_with_a_dash_and_answered_with_a_point() -> None:
    body = chart(rows_of(DAY, DAY, HOUR), symbol="BRK-B")
    bars, _ = bars_in(fetched(body, symbol="BRK.B"))
    assert set(bars["symbol"]) == {"BRK.B"}


def test_instrument_comes_from_chart_and_profile() -> None:
    fetch = fetched(chart([], SESSION))
    assert instrument_in(fetch).sector is None
    page = Page(
        8, "https://query2.finance.yahoo.com/v10/finance/quoteSummary/X", json.dumps(profile("Energy")).encode()
    )
    fetch.pages.append(page)
    instrument = instrument_in(fetch)
    assert (instrument.name, instrument.exchange, instrument.sector) == ("X Incorporated", "NasdaqGS", "Energy")
    assert instrument.first_session == date(2010, 6, 29)


def test_first_trade_before_1970_is_a_date() -> None:
    assert instrument_in(fetched(chart([], SESSION, firstTradeDate=-252_322_200))).first_session == date(1962, 1, 2)


def test_profile_without_a_result_is_refused() -> None:
    fetch = fetched(chart([], SESSION))
    fetch.pages.append(Page(8, "https://query2.finance.yahoo.com/v10/finance/quoteSummary/X", b'{"quoteSummary": {}}'))
    with pytest.raises(ContractBroken, match="no profile in the answer"):
        instrument_in(fetch)


def test_refusal_without_a_reason_is_refused() -> None:
    with pytest.raises(ContractBroken, match="without saying why"):
        explanation(b'{"chart": {}}')


def test_reading_twice_gives_the_same() -> None:
    fetch = fetched(chart(rows_of(DAY, HALF_DAY, HOUR), events={"splits": split("2024-12-02", 10)}))
    first, second = bars_in(fetch)[0], bars_in(fetch)[0]
    pd.testing.assert_frame_equal(first, second)
    assert first["ts"].iloc[0] == datetime(2024, 7, 2, 13, 30, tzinfo=UTC)
