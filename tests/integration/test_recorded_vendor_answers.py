"""Real vendors' answers, served byte for byte to the real SDKs, on recordings where they are present.

TRADING_TEST_PAYLOADS names a folder with one file an HTTP exchange; without it the tests are skipped.
"""

import json
import os
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from standins.http_vendor import Asked, Reply, VendorStandIn

from trading_assets.adapters.alpaca import AlpacaSource
from trading_assets.adapters.errors import AuthFailed
from trading_assets.adapters.polygon import PolygonSource
from trading_assets.adapters.postgres.corporate_actions import actions_as_of, store_actions
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.vendor_responses import SharedTokenBucket, StoredResponses, stored_fetches
from trading_assets.adapters.vendor_gateway import VendorGateway, json_object
from trading_assets.domain.market.corporate_actions import ActionKind, DelistingReason
from trading_assets.domain.values import Timeframe

PAYLOADS = Path(os.environ.get("TRADING_TEST_PAYLOADS", "/nonexistent"))
pytestmark = pytest.mark.skipif(not PAYLOADS.is_dir(), reason="TRADING_TEST_PAYLOADS names no folder of recordings")
LATER = datetime(2026, 1, 1, tzinfo=UTC)


def recorded(name: str) -> Reply:
    response = json.loads((PAYLOADS / name).read_text())["response"]
    return Reply(response["body_raw"], response["status"])


@pytest.fixture
def vendor() -> Iterator[VendorStandIn]:
    with VendorStandIn().running() as standin:
        yield standin


@pytest.fixture
def gateway(database: Database) -> VendorGateway:
    limiter = SharedTokenBucket(database, "recorded", capacity=1000, per_minute=60_000)
    return VendorGateway("recorded", limiter, StoredResponses(database), check=json_object)


@pytest.fixture
def alpaca(gateway: VendorGateway, vendor: VendorStandIn) -> AlpacaSource:
    return AlpacaSource(gateway, "K", "S", data_url=vendor.url, trading_url=vendor.url)


@pytest.fixture
def polygon(gateway: VendorGateway, vendor: VendorStandIn) -> PolygonSource:
    return PolygonSource(gateway, "K", vendor.url)


def reasons(database: Database) -> dict[str, str]:
    with database.transaction() as connection:
        return dict(connection.execute("select section, reason from market.quarantined_rows").fetchall())


def test_alpaca_bars_of_two_symbols(alpaca: AlpacaSource, vendor: VendorStandIn, database: Database) -> None:
    body = recorded("alpaca/sdk_alpaca_py/multisymbol_get_bars.json")
    vendor.routes["/v2/stocks/bars"] = body
    frame = alpaca.bars(["AAPL", "TSLA"], Timeframe.SESSION, date(2022, 3, 9), date(2022, 3, 9), LATER)
    assert list(frame["close"]) == [162.95, 858.97]
    assert reasons(database) == {}
    (fetch,) = stored_fetches(database, "recorded", "bars/1d")
    assert [page.body for page in fetch.pages] == [body.payload()]


def test_alpaca_actions_over_two_pages(alpaca: AlpacaSource, vendor: VendorStandIn, database: Database) -> None:
    pages = {"": "get_corporate_actions", "MDA3": "get_corporate_actions__2"}
    vendor.routes["/v1/corporate-actions"] = lambda asked: recorded(
        f"alpaca/sdk_alpaca_py/{pages[asked.query.get('page_token', '')[:4]]}.json"
    )
    actions = alpaca.corporate_actions(["FCF", "MNTS", "SRE"], date(2023, 1, 1), date(2023, 12, 31))
    assert [(action.symbol, action.kind) for action in actions] == [
        ("FCF", ActionKind.CASH_DIVIDEND),
        ("MNTS", ActionKind.SPLIT),
        ("SRE", ActionKind.SPLIT),
    ]
    assert len(vendor.asked) == 2
    assert {reason.partition(" ")[2] for reason in reasons(database).values()} == {"was not asked for"}


def test_alpaca_actions_of_every_recorded_kind(alpaca: AlpacaSource, vendor: VendorStandIn, database: Database) -> None:
    vendor.routes["/v1/corporate-actions"] = lambda asked: (
        Reply({"corporate_actions": {}, "next_page_token": None})
        if "page_token" in asked.query
        else recorded("alpaca/sdk_alpaca_py/get_corporate_actions.json")
    )
    symbols = ["MNTS", "SRE", "TPBAU", "MSBC", "FCF", "JUPW", "GLOP", "LSI", "MLVF", "ORPHY", "VFS", "ATNXQ", "IFN"]
    actions = alpaca.corporate_actions(symbols, date(2023, 1, 1), date(2024, 12, 31))
    assert reasons(database) == {}
    kinds = {(action.symbol, action.kind, action.reason) for action in actions}
    assert kinds == {
        ("MNTS", ActionKind.SPLIT, None),
        ("SRE", ActionKind.SPLIT, None),
        ("TPBAU", ActionKind.SPIN_OFF, None),
        ("TPBAU", ActionKind.RENAME, None),
        ("MSBC", ActionKind.STOCK_DIVIDEND, None),
        ("FCF", ActionKind.CASH_DIVIDEND, None),
        ("JUPW", ActionKind.SPIN_OFF, None),
        ("GLOP", ActionKind.DELISTING, DelistingReason.MERGER),
        ("LSI", ActionKind.DELISTING, DelistingReason.MERGER),
        ("MLVF", ActionKind.DELISTING, DelistingReason.MERGER),
        ("ORPHY", ActionKind.DELISTING, DelistingReason.REDEMPTION),
        ("BSAQ", ActionKind.RENAME, None),
        ("ATNXQ", ActionKind.DELISTING, DelistingReason.WORTHLESS),
        ("IFN", ActionKind.SPIN_OFF, None),
    }
    with database.transaction() as connection:
        assert store_actions(connection, actions, "alpaca") == len(actions)
    known = actions_as_of(database, LATER, [*symbols, "BSAQ"])
    assert [(one.symbol, one.kind, one.new_symbol) for one in known] == [
        (one.symbol, one.kind, one.new_symbol) for one in actions
    ]


def test_alpaca_asset(alpaca: AlpacaSource, vendor: VendorStandIn) -> None:
    vendor.routes["/v2/assets/AAPL"] = recorded("alpaca/sdk_alpaca_py/get_asset.json")
    vendor.routes["/v2/stocks/bars"] = recorded("alpaca/sdk_alpaca_py/get_bars.json")
    (instrument,) = alpaca.instruments(["AAPL"])
    assert instrument.is_tradable
    assert instrument.first_session is not None
    assert (instrument.is_fractionable, instrument.is_easy_to_borrow) == (True, True)
    assert instrument.source_id == "904837e3-3b76-47ec-b432-046db621571b"


def test_alpaca_refusal(alpaca: AlpacaSource, vendor: VendorStandIn) -> None:
    vendor.routes["/v2/stocks/bars"] = recorded(
        "alpaca/vcr_ruby/generic_errors__raises_UnauthorizedError_when_status_code_is_401.json"
    )
    with pytest.raises(AuthFailed, match="access key verification failed"):
        alpaca.bars(["AAPL"], Timeframe.HOUR, date(2022, 3, 9), date(2022, 3, 9), LATER)


def test_polygon_splits_and_dividends(polygon: PolygonSource, vendor: VendorStandIn, database: Database) -> None:
    for kind in ("splits", "dividends"):
        vendor.routes[f"/v3/reference/{kind}"] = recorded(f"polygon/sdk_client_python/v3__reference__{kind}.json")
    actions = polygon.corporate_actions(["GOOGL", "BRW", "CSSEN"], date(2020, 1, 1), date(2024, 12, 31))
    ratios = {action.symbol: action.split_ratio for action in actions if action.kind is ActionKind.SPLIT}
    assert ratios["GOOGL"] == 20
    assert float(ratios["BRW"] or 0) == 0.5
    assert {action.symbol for action in actions} == {"GOOGL", "BRW", "CSSEN"}


def test_polygon_ticker(polygon: PolygonSource, vendor: VendorStandIn) -> None:
    vendor.routes["/v3/reference/tickers/AAPL"] = recorded(
        "polygon/sdk_client_python/v3__reference__tickers__AAPL.json"
    )
    (instrument,) = polygon.instruments(["AAPL"])
    assert (instrument.name, instrument.exchange) == ("Apple Inc.", "NASDAQ")


def test_polygon_days_begin_at_midnight_before_and_after_a_change_of_clocks(
    polygon: PolygonSource, vendor: VendorStandIn, database: Database
) -> None:
    raw = recorded("polygon/sdk_client_python/v2__aggs__ticker__AAPL__range__1__day__2005-04-01__2005-04-04.json")
    document = {**json.loads(raw.payload()), "adjusted": False}

    def otherwise(_asked: Asked) -> Reply:
        return Reply(document)

    vendor.otherwise = otherwise
    frame = polygon.bars(["AAPL"], Timeframe.SESSION, date(2005, 4, 1), date(2005, 4, 4), LATER)
    assert list(frame["session_date"]) == [date(2005, 4, 1), date(2005, 4, 4)]
    assert reasons(database) == {}
