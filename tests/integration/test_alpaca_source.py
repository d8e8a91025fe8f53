"""AlpacaSource with the real SDK, against a stand-in on 127.0.0.1 and a real database."""

import json
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from standins.bar_rows import half_hours, moment, row
from standins.http_vendor import Asked, Reply, VendorStandIn

from trading_assets.adapters.alpaca import AlpacaSource, actions_in, bars_in
from trading_assets.adapters.errors import ContractBroken, NotFound, Transient
from trading_assets.adapters.postgres.corporate_actions import store_actions
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.market import store_bars
from trading_assets.adapters.postgres.vendor_responses import SharedTokenBucket, StoredResponses, stored_fetches
from trading_assets.adapters.vendor_gateway import RetryPolicy, VendorGateway, json_object
from trading_assets.domain.market.bars import BAR_COLUMNS
from trading_assets.domain.market.corporate_actions import ActionKind, CorporateAction
from trading_assets.domain.values import Timeframe

DATA = Path(__file__).parents[1] / "data" / "alpaca"
MONDAY, TUESDAY = date(2024, 5, 6), date(2024, 5, 7)
LATER = datetime(2024, 6, 1, tzinfo=UTC)
QUICK = RetryPolicy(attempts=2, first_wait_s=0.01, patience_s=2.0, read_timeout_s=0.2, total_timeout_s=0.4)


class AlpacaStandIn:
    """Answers questions for bars from `rows`, `page_size` rows a page, symbol after symbol as Alpaca does."""

    def __init__(self, vendor: VendorStandIn) -> None:
        self.vendor = vendor
        self.rows: dict[str, list[Any]] = {}
        self.page_size = 10_000
        vendor.routes["/v2/stocks/bars"] = self.bars

    def bars(self, asked: Asked) -> Reply:
        wanted = asked.query["symbols"].split(",")
        flat = [(name, fields) for name in sorted(wanted) for fields in self.rows.get(name, [])]
        size = min(self.page_size, int(asked.query["limit"]))
        begin = int(asked.query.get("page_token", "0"))
        page: dict[str, list[Any]] = {}
        for name, fields in flat[begin : begin + size]:
            page.setdefault(name, []).append(fields)
        token = str(begin + size) if begin + size < len(flat) else None
        return Reply({"bars": page, "next_page_token": token})


@pytest.fixture
def vendor() -> Iterator[VendorStandIn]:
    with VendorStandIn().running() as standin:
        yield standin


@pytest.fixture
def alpaca(vendor: VendorStandIn) -> AlpacaStandIn:
    return AlpacaStandIn(vendor)


@pytest.fixture
def source(database: Database, vendor: VendorStandIn) -> AlpacaSource:
    gateway = VendorGateway(
        "alpaca",
        SharedTokenBucket(database, "alpaca:test", capacity=1000, per_minute=60_000),
        StoredResponses(database),
        QUICK,
        check=json_object,
        sleep=lambda _seconds: None,
    )
    return AlpacaSource(gateway, "KEYID", "SECRETKEY", feed="iex", data_url=vendor.url, trading_url=vendor.url)


def quarantined(database: Database) -> list[tuple[str, int, str]]:
    with database.transaction() as connection:
        return connection.execute(
            "select section, position, reason from market.quarantined_rows order by response_id, section, position"
        ).fetchall()


def stored_rows(database: Database, table: str, columns: str) -> list[tuple[Any, ...]]:
    with database.transaction() as connection:
        return connection.execute(f"select {columns} from {table} order by {columns}").fetchall()


BAR_FACTS = ", ".join((*BAR_COLUMNS, "version", "response_id"))


# Bars --------------------------------------------------------------------------------------------


def test_hours_are_added_up_from_half_hours_of_the_session(source: AlpacaSource, alpaca: AlpacaStandIn) -> None:
    alpaca.rows["AAPL"] = half_hours("2024-05-06T08:00:00Z", "2024-05-06T23:00:00Z")

    frame = source.bars(["AAPL"], Timeframe.HOUR, MONDAY, MONDAY, LATER)

    assert list(frame.columns) == [*BAR_COLUMNS, "response_id"]
    assert [f"{ts:%H:%M}" for ts in frame["ts"]] == ["13:30", "14:30", "15:30", "16:30", "17:30", "18:30", "19:30"]
    first, second = row(moment("2024-05-06T13:30:00Z")), row(moment("2024-05-06T14:00:00Z"))
    bar = frame.iloc[0]
    assert (bar["open"], bar["close"]) == (first["o"], second["c"])
    assert (bar["high"], bar["low"]) == (max(first["h"], second["h"]), min(first["l"], second["l"]))
    assert bar["volume"] == first["v"] + second["v"]
    assert set(frame["source"]) == {"alpaca"}
    asked = alpaca.vendor.asked[0]
    assert asked.query["timeframe"] == "30Min"
    assert asked.query["adjustment"] == "raw"
    assert asked.query["feed"] == "iex"
    assert asked.headers["apca-api-key-id"] == "KEYID"
    assert asked.query["start"] == "2024-05-06T04:00:00+00:00"
    assert asked.query["end"] == "2024-05-07T03:59:59+00:00"


def test_half_day_ends_at_one(source: AlpacaSource, alpaca: AlpacaStandIn) -> None:
    alpaca.rows["AAPL"] = half_hours("2024-07-03T08:00:00Z", "2024-07-03T21:00:00Z")
    frame = source.bars(["AAPL"], Timeframe.HOUR, date(2024, 7, 3), date(2024, 7, 3), LATER + timedelta(days=60))
    assert [f"{ts:%H:%M}" for ts in frame["closes_at"]] == ["14:30", "15:30", "16:30", "17:00"]


@pytest.mark.parametrize(
    ("until", "delay", "newest"),
    [("2024-05-06T16:29:59Z", 0, "15:30"), ("2024-05-06T16:30:00Z", 0, "16:30"), ("2024-05-06T16:30:00Z", 15, "15:30")],
)
def test_unfinished_hour_is_left_out(
    source: AlpacaSource, alpaca: AlpacaStandIn, until: str, delay: int, newest: str
) -> None:
    alpaca.rows["AAPL"] = half_hours("2024-05-06T13:30:00Z", "2024-05-06T17:00:00Z")
    late = AlpacaSource(source.gateway, "K", "S", delay=timedelta(minutes=delay), data_url=source.data_url)
    frame = late.bars(["AAPL"], Timeframe.HOUR, MONDAY, MONDAY, moment(until))
    assert f"{frame['closes_at'].max():%H:%M}" == newest
    assert datetime.fromisoformat(alpaca.vendor.asked[0].query["end"]) < moment(until) - timedelta(minutes=delay)


def test_session_bars_start_at_midnight_and_the_unfinished_one_is_left_out(
    source: AlpacaSource, alpaca: AlpacaStandIn
) -> None:
    alpaca.rows["AAPL"] = [row(moment(f"2024-05-0{day}T04:00:00Z")) for day in (6, 7)]
    frame = source.bars(["AAPL"], Timeframe.SESSION, MONDAY, TUESDAY, moment("2024-05-07T19:00:00Z"))
    (bar,) = frame.to_dict("records")
    assert bar["session_date"] == MONDAY
    assert (bar["ts"], bar["closes_at"]) == (moment("2024-05-06T13:30:00Z"), moment("2024-05-06T20:00:00Z"))
    assert alpaca.vendor.asked[0].query["timeframe"] == "1Day"
    assert quarantined(source.gateway._store.database) == []


def test_nothing_is_asked_for_a_time_that_has_not_come(source: AlpacaSource, alpaca: AlpacaStandIn) -> None:
    frame = source.bars(["AAPL"], Timeframe.HOUR, MONDAY, MONDAY, moment("2024-05-05T12:00:00Z"))
    assert list(frame.columns) == [*BAR_COLUMNS, "response_id"]
    assert len(frame) == 0
    assert alpaca.vendor.asked == []


def test_class_of_shares_is_spelled_as_alpaca_spells_it(source: AlpacaSource, alpaca: AlpacaStandIn) -> None:
    alpaca.rows["BRK.B"] = [row(moment("2024-05-06T04:00:00Z"))]
    frame = source.bars(["BRK-B"], Timeframe.SESSION, MONDAY, MONDAY, LATER)
    assert list(frame["symbol"]) == ["BRK-B"]


@pytest.mark.parametrize("page_size", [1, 7, 13, 26])
def test_pages_are_followed_to_the_very_end(source: AlpacaSource, alpaca: AlpacaStandIn, page_size: int) -> None:
    alpaca.rows = {name: half_hours("2024-05-06T13:30:00Z", "2024-05-06T20:00:00Z") for name in ("AAPL", "MSFT")}
    alpaca.page_size = page_size
    frame = source.bars(["AAPL", "MSFT"], Timeframe.HOUR, MONDAY, MONDAY, LATER)
    assert len(alpaca.vendor.asked) == -(-26 // page_size)
    assert frame.groupby("symbol").size().to_dict() == {"AAPL": 7, "MSFT": 7}
    alpaca.page_size = 10_000
    whole = source.bars(["AAPL", "MSFT"], Timeframe.HOUR, MONDAY, MONDAY, LATER)
    assert frame.drop(columns="response_id").equals(whole.drop(columns="response_id"))


def test_many_symbols_are_asked_for_in_parts(source: AlpacaSource, alpaca: AlpacaStandIn) -> None:
    symbols = [f"S{number}" for number in range(230)]
    alpaca.rows = {symbol: [row(moment("2024-05-06T04:00:00Z"))] for symbol in symbols}
    assert len(source.bars(symbols, Timeframe.SESSION, MONDAY, MONDAY, LATER)) == 230
    assert len(alpaca.vendor.asked) == 3


def test_page_token_that_comes_again_breaks_the_contract(source: AlpacaSource, vendor: VendorStandIn) -> None:
    vendor.routes["/v2/stocks/bars"] = Reply({"bars": {}, "next_page_token": "again"})
    with pytest.raises(ContractBroken, match="page token again twice"):
        source.bars(["AAPL"], Timeframe.HOUR, MONDAY, MONDAY, LATER)


@pytest.mark.parametrize("empty", [{"bars": None, "next_page_token": None}, {"bars": {}}, {"bars": {"AAPL": None}}])
def test_no_bars_is_an_empty_frame(source: AlpacaSource, vendor: VendorStandIn, empty: dict[str, Any]) -> None:
    vendor.routes["/v2/stocks/bars"] = Reply(empty)
    assert len(source.bars(["AAPL"], Timeframe.HOUR, MONDAY, MONDAY, LATER)) == 0


def test_null_page_in_the_middle_loses_no_other_page(source: AlpacaSource, vendor: VendorStandIn) -> None:
    vendor.faults.append(Reply({"bars": None, "next_page_token": "2"}))
    vendor.routes["/v2/stocks/bars"] = Reply({"bars": {"AAPL": [row(moment("2024-05-06T04:00:00Z"))]}})
    assert len(source.bars(["AAPL"], Timeframe.SESSION, MONDAY, MONDAY, LATER)) == 1


@pytest.mark.parametrize(
    "answer",
    [
        Reply({"message": "hello"}),
        Reply({"bars": 5}),
        Reply({"bars": {"AAPL": 5}}),
        Reply({"bars": {}, "next_page_token": 5}),
    ],
)
def test_answer_of_another_shape_breaks_the_contract(
    source: AlpacaSource, vendor: VendorStandIn, answer: Reply
) -> None:
    vendor.routes["/v2/stocks/bars"] = answer
    with pytest.raises(ContractBroken):
        source.bars(["AAPL"], Timeframe.HOUR, MONDAY, MONDAY, LATER)
    assert len(vendor.asked) == 1


def test_bad_row_is_quarantined_and_its_hour_left_out(
    source: AlpacaSource, alpaca: AlpacaStandIn, database: Database
) -> None:
    rows = half_hours("2024-05-06T13:30:00Z", "2024-05-06T20:00:00Z")
    rows[3]["c"] = "104"
    rows[8]["h"] = 1.0
    rows[12]["v"] = None
    alpaca.rows = {"AAPL": rows}

    frame = source.bars(["AAPL"], Timeframe.HOUR, MONDAY, MONDAY, LATER)

    assert [f"{ts:%H:%M}" for ts in frame["ts"]] == ["13:30", "15:30", "16:30", "18:30"]
    assert quarantined(database) == [
        ("AAPL", 3, "c: Input should be a valid number"),
        ("AAPL", 8, "high 1 is below another price of the bar"),
        ("AAPL", 12, "v: Input should be a valid number"),
    ]


def test_row_told_twice_counts_once_and_contradicting_rows_not_at_all(
    source: AlpacaSource, alpaca: AlpacaStandIn, database: Database
) -> None:
    rows = half_hours("2024-05-06T13:30:00Z", "2024-05-06T16:30:00Z")
    alpaca.rows = {"AAPL": [*rows[:1], *rows, row(moment("2024-05-06T15:00:00Z"), base=50.0)]}
    frame = source.bars(["AAPL"], Timeframe.HOUR, MONDAY, MONDAY, LATER)
    assert [f"{ts:%H:%M}" for ts in frame["ts"]] == ["13:30", "15:30"]
    assert quarantined(database) == [
        ("AAPL", 1, "repeats row 0 of AAPL in response 1"),
        ("AAPL", 4, "2 rows for AAPL 2024-05-06 15:00Z contradict"),
        ("AAPL", 7, "2 rows for AAPL 2024-05-06 15:00Z contradict"),
    ]


@pytest.mark.parametrize(
    ("ts", "timeframe", "reason"),
    [
        ("2024-05-06T13:45:00Z", Timeframe.HOUR, "is not the start of a half hour"),
        ("2024-05-08T13:30:00Z", Timeframe.HOUR, "lies outside of what was asked for"),
        ("1850-01-01T05:00:00Z", Timeframe.SESSION, "the year 1850 is no year of a bar"),
        ("2024-05-06T05:00:00Z", Timeframe.SESSION, "is not midnight in New York"),
    ],
)
def test_row_in_the_wrong_place_is_quarantined(
    source: AlpacaSource, alpaca: AlpacaStandIn, database: Database, ts: str, timeframe: Timeframe, reason: str
) -> None:
    alpaca.rows = {"AAPL": [row(moment(ts))]}
    assert len(source.bars(["AAPL"], timeframe, MONDAY, MONDAY, LATER)) == 0
    ((_section, _position, told),) = quarantined(database)
    assert reason in told


def test_symbol_nobody_asked_for_is_quarantined(
    source: AlpacaSource, vendor: VendorStandIn, database: Database
) -> None:
    vendor.routes["/v2/stocks/bars"] = Reply({"bars": {"X\0Y": [row(moment("2024-05-06T04:00:00Z"))]}})
    assert len(source.bars(["AAPL"], Timeframe.SESSION, MONDAY, MONDAY, LATER)) == 0
    assert quarantined(database) == [(r"X\x00Y", 0, r"X\x00Y was not asked for")]


# Corporate actions and instruments ---------------------------------------------------------------

ACTIONS = [
    CorporateAction("BRK-B", date(2019, 2, 1), ActionKind.CASH_DIVIDEND, amount_usd=Decimal("0.5")),
    CorporateAction(
        "COST", date(2023, 12, 27), ActionKind.CASH_DIVIDEND, amount_usd=Decimal("16.02"), pay_date=date(2024, 1, 15)
    ),
    CorporateAction(
        "GE", date(2021, 6, 25), ActionKind.CASH_DIVIDEND, amount_usd=Decimal("0.01"), pay_date=date(2021, 7, 26)
    ),
    CorporateAction("GE", date(2021, 8, 2), ActionKind.SPLIT, split_ratio=Decimal("0.125")),
    CorporateAction("NVDA", date(2023, 5, 19), ActionKind.STOCK_DIVIDEND, share_ratio=Decimal("0.05")),
    CorporateAction("NVDA", date(2024, 6, 10), ActionKind.SPLIT, split_ratio=Decimal(10)),
]


def test_actions_come_once_and_what_is_doubtful_or_foreign_is_quarantined(
    source: AlpacaSource, vendor: VendorStandIn, database: Database
) -> None:
    vendor.routes["/v1/corporate-actions"] = Reply((DATA / "corporate_actions.json").read_bytes())
    symbols = ["BRK-B", "COST", "GE", "NVDA"]
    assert source.corporate_actions(symbols, date(2018, 1, 1), date(2024, 12, 31)) == ACTIONS
    assert vendor.asked[0].query["symbols"] == "BRK.B,COST,GE,NVDA"
    assert vendor.asked[0].query["start"] == "2018-01-01"
    assert quarantined(database) == [
        ("cash_dividends", 1, "repeats row 0 of cash_dividends in response 1"),
        ("cash_dividends", 5, "rate: Input should be a valid number"),
        ("cash_dividends", 7, "XYZ was not asked for"),
        ("forward_splits", 1, "repeats row 0 of forward_splits in response 1"),
        ("name_changes", 0, "FB was not asked for"),
    ]


def test_different_splits_of_one_day_are_not_used(source: AlpacaSource, vendor: VendorStandIn) -> None:
    rows = [{"symbol": "A", "ex_date": "2024-05-06", "new_rate": rate, "old_rate": 1} for rate in (2, 3)]
    vendor.routes["/v1/corporate-actions"] = Reply({"corporate_actions": {"forward_splits": rows}})
    assert source.corporate_actions(["A"], MONDAY, MONDAY) == []
    assert [position for _, position, _ in quarantined(source.gateway._store.database)] == [0, 1]


def test_instruments_come_with_their_first_session(
    source: AlpacaSource, alpaca: AlpacaStandIn, vendor: VendorStandIn
) -> None:
    vendor.routes["/v2/assets/AAPL"] = Reply((DATA / "asset.json").read_bytes())
    alpaca.rows["AAPL"] = [row(moment("2016-01-04T05:00:00Z")), row(moment("2016-01-05T05:00:00Z"))]
    (instrument,) = source.instruments(["AAPL"])
    assert (instrument.symbol, instrument.name, instrument.exchange) == ("AAPL", "Apple Inc. Common Stock", "NASDAQ")
    assert (instrument.is_tradable, instrument.is_shortable) == (True, True)
    assert instrument.first_session == date(2016, 1, 4)


@pytest.mark.parametrize(
    ("said", "is_unqualified_partnership"),
    [
        ({}, None),
        ({"attributes": []}, False),
        ({"attributes": ["ptp_with_exception", "has_options"]}, False),
        ({"attributes": ["has_options", "ptp_no_exception"]}, True),
    ],
)
def test_instrument_is_a_partnership_where_its_attributes_say_so(
    said: dict[str, list[str]],
    is_unqualified_partnership: bool | None,
    source: AlpacaSource,
    alpaca: AlpacaStandIn,
    vendor: VendorStandIn,
) -> None:
    vendor.routes["/v2/assets/AAPL"] = Reply({**json.loads((DATA / "asset.json").read_bytes()), **said})
    alpaca.rows["AAPL"] = [row(moment("2016-01-04T05:00:00Z"))]
    (instrument,) = source.instruments(["AAPL"])
    assert instrument.is_unqualified_partnership is is_unqualified_partnership


def test_unknown_instrument_is_not_found(source: AlpacaSource) -> None:
    with pytest.raises(NotFound, match=r"/v2/assets/NOPE .*Check the symbols"):
        source.instruments(["NOPE"])


def test_asset_without_its_fields_breaks_the_contract(
    source: AlpacaSource, alpaca: AlpacaStandIn, vendor: VendorStandIn
) -> None:
    vendor.routes["/v2/assets/AAPL"] = Reply({"symbol": "AAPL"})
    with pytest.raises(ContractBroken, match="response 1: class: Field required, in an asset"):
        source.instruments(["AAPL"])


# Reading again -----------------------------------------------------------------------------------


def test_stored_answers_read_again_give_the_same_tables(
    source: AlpacaSource, alpaca: AlpacaStandIn, vendor: VendorStandIn, database: Database
) -> None:
    rows = half_hours("2024-05-06T08:00:00Z", "2024-05-07T23:00:00Z")
    rows[13]["c"] = None
    alpaca.rows = {"AAPL": rows, "MSFT": half_hours("2024-05-06T13:30:00Z", "2024-05-06T20:00:00Z")}
    alpaca.page_size = 11
    vendor.routes["/v1/corporate-actions"] = Reply((DATA / "corporate_actions.json").read_bytes())
    symbols = ["AAPL", "GE", "MSFT"]

    def fetched(until: datetime) -> None:
        with database.transaction() as connection:
            store_bars(connection, source.bars(symbols, Timeframe.HOUR, MONDAY, TUESDAY, until))

    fetched(moment("2024-05-06T18:00:00Z"))
    vendor.faults.extend([Reply({"bars": {}, "next_page_token": "11"}), *[Reply(b"", 500)] * 5])
    with pytest.raises(Transient):
        fetched(LATER)
    vendor.faults.clear()
    rows[15] = row(moment("2024-05-06T15:30:00Z"), base=99.0)
    fetched(LATER)
    with database.transaction() as connection:
        store_actions(connection, source.corporate_actions(symbols, MONDAY.replace(year=2020), TUESDAY), "alpaca")
    tables = [
        ("market.bars", BAR_FACTS),
        ("market.corporate_actions", "symbol, ex_date, kind, version, split_ratio, amount_usd, response_id"),
        ("market.quarantined_rows", "response_id, section, position, reason, row_json"),
    ]
    before = [stored_rows(database, *table) for table in tables]
    assert all(before)

    with database.transaction() as connection:
        for table, _ in tables:
            connection.execute(f"alter table {table} disable trigger append_only")
            connection.execute(f"delete from {table}")
    for fetch in [
        *stored_fetches(database, "alpaca", "bars/1h"),
        *stored_fetches(database, "alpaca", "corporate_actions"),
    ]:
        is_whole = b'"next_page_token": null' in fetch.pages[-1].body
        with nullcontext() if is_whole else pytest.raises(ContractBroken, match="not all pages were received"):
            read_again(database, source, fetch)

    assert [stored_rows(database, *table) for table in tables] == before


def read_again(database: Database, source: AlpacaSource, fetch: Any) -> None:
    read: Callable[[Any], Any] = bars_in if fetch.dataset == "bars/1h" else actions_in
    facts, rows = read(fetch)
    source.gateway.quarantine(rows)
    with database.transaction() as connection:
        if fetch.dataset == "bars/1h":
            store_bars(connection, facts)
        else:
            store_actions(connection, facts, "alpaca")
