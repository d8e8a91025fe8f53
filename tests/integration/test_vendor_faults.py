"""Every fault a vendor may have, met by each vendor's real SDK: one known error, no secret, no bar, few requests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from standins.http_vendor import Reply, VendorStandIn
from standins.vendor_faults import FAULTS

from trading_assets.adapters.alpaca import AlpacaSource
from trading_assets.adapters.errors import AuthFailed, Transient
from trading_assets.adapters.polygon import PolygonSource
from trading_assets.adapters.ports import BarSource
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.vendor_responses import SharedTokenBucket, StoredResponses
from trading_assets.adapters.vendor_gateway import RetryPolicy, VendorGateway, json_object
from trading_assets.adapters.yahoo import YahooSource
from trading_assets.domain.values import Timeframe

MONDAY, LATER = date(2024, 5, 6), datetime(2024, 6, 1, tzinfo=UTC)
QUICK = RetryPolicy(attempts=2, first_wait_s=0.01, patience_s=2.0, read_timeout_s=0.2, total_timeout_s=0.4)
SECRET = "SECRETKEY"
Build = Callable[[VendorGateway, str, Path], BarSource]
SOURCES: dict[str, Build] = {
    "alpaca": lambda gateway, url, _: AlpacaSource(gateway, "KEYID", SECRET, data_url=url, trading_url=url),
    "polygon": lambda gateway, url, _: PolygonSource(gateway, SECRET, url),
    "yahoo": lambda gateway, url, folder: YahooSource(gateway, url, folder),
}
BARS_PATHS = {"alpaca": "/v2/stocks/bars", "polygon": "/v2/aggs/", "yahoo": "/v8/finance/chart/"}


@dataclass
class Desk:
    """A source whose vendor answers every question for bars with one fault."""

    name: str
    source: BarSource
    vendor: VendorStandIn
    database: Database

    def asked(self) -> int:
        return sum(asked.path.startswith(BARS_PATHS[self.name]) for asked in self.vendor.asked)

    def count(self, table: str) -> int:
        with self.database.transaction() as connection:
            row = connection.execute(f"select count(*) from {table}").fetchone()
        return int(row[0]) if row else 0


@pytest.fixture(scope="module")
def module_database(new_module_database: Callable[..., Database]) -> Database:
    return new_module_database()


@pytest.fixture
def vendor() -> Iterator[VendorStandIn]:
    with VendorStandIn().running() as standin:
        yield standin


@pytest.fixture
def desk(request: pytest.FixtureRequest, module_database: Database, vendor: VendorStandIn, tmp_path: Path) -> Desk:
    name, fault = request.param

    def answer(asked: object) -> Reply:
        path = getattr(asked, "path", "")
        return FAULTS[fault][0] if path.startswith(BARS_PATHS[name]) else Reply("crumbled", headers={})

    vendor.otherwise = answer
    # A rest that the vendor asked for holds for everybody with the same key.
    bucket = SharedTokenBucket(module_database, f"{name}:{fault}", capacity=1000, per_minute=60_000)
    gateway = VendorGateway(
        name, bucket, StoredResponses(module_database), QUICK, check=json_object, sleep=lambda _seconds: None
    )
    return Desk(name, SOURCES[name](gateway, vendor.url, tmp_path), vendor, module_database)


@pytest.mark.parametrize(
    ("desk", "fault"),
    [pytest.param((name, fault), fault, id=f"{name}: {fault}") for name in SOURCES for fault in FAULTS],
    indirect=["desk"],
)
def test_fault_is_one_of_the_known_errors_and_stores_no_bar(desk: Desk, fault: str) -> None:
    error = FAULTS[fault][1]

    with pytest.raises(error) as raised:
        desk.source.bars(["AAPL"], Timeframe.HOUR, MONDAY, MONDAY, LATER)

    assert type(raised.value) is error
    assert SECRET not in str(raised.value)
    assert "\n" not in str(raised.value)
    assert desk.count("market.bars") == 0
    assert desk.asked() == expected_requests(desk.name, fault, error)


def expected_requests(name: str, fault: str, error: type[Exception]) -> int:
    if issubclass(error, Transient) and "beyond patience" not in fault:
        # curl itself repeats a request, once, when the connection that it used again turns out to be gone.
        return QUICK.attempts + (name == "yahoo" and fault == "reset")
    is_login_renewed = name == "yahoo" and error is AuthFailed
    return 2 if is_login_renewed else 1
