"""A gateway under a real `requests` session, against a vendor that misbehaves and a real database."""

import gzip
import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import pairwise

import psycopg
import pytest
import requests
from standins.http_vendor import HTML_PAGE, RESET, SILENCE, TRICKLE, Reply, VendorStandIn, cut_short

from trading_assets.adapters.errors import AuthFailed, ContractBroken, NotFound, RateLimited, Transient, Unreachable
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.vendor_responses import SharedTokenBucket, StoredResponses, stored_fetches
from trading_assets.adapters.vendor_gateway import QuarantinedRow, RetryPolicy, VendorGateway, json_object
from trading_assets.adapters.vendor_transport import GatewayAdapter

QUICK = RetryPolicy(attempts=3, first_wait_s=0.01, patience_s=2.0, read_timeout_s=0.2, total_timeout_s=0.4)
GOOD = Reply({"bars": {}})


@pytest.fixture
def vendor() -> Iterator[VendorStandIn]:
    with VendorStandIn().running() as standin:
        standin.routes["/bars"] = GOOD
        yield standin


class Desk:
    """A session that talks to the stand-in through a gateway, and the waits that it was made to take."""

    def __init__(self, database: Database, vendor: VendorStandIn) -> None:
        self.database = database
        self.url = vendor.url
        self.waits: list[float] = []
        limiter = SharedTokenBucket(database, "acme:1234", capacity=1000, per_minute=60_000)
        self.gateway = VendorGateway(
            "acme", limiter, StoredResponses(database), QUICK, check=json_object, sleep=self.waits.append
        )
        self.session = requests.Session()
        self.session.mount("http://", GatewayAdapter(self.gateway))

    def ask(self, path: str = "/bars", **parameters: str) -> requests.Response:
        with self.gateway.fetch("bars/1d", symbols=["AAPL"]):
            return self.session.get(self.url + path, params=parameters)

    def stored(self) -> list[tuple[int, str]]:
        with self.database.transaction() as connection:
            return connection.execute("select status, url from market.vendor_responses order by response_id").fetchall()


@pytest.fixture
def desk(database: Database, vendor: VendorStandIn) -> Desk:
    return Desk(database, vendor)


def test_answer_is_stored_whole_before_the_caller_has_it(desk: Desk, vendor: VendorStandIn) -> None:
    body = b'{"bars": {}, "note": "\xc3\xa9\\u0000"}'
    vendor.routes["/bars"] = Reply(body, headers={"X-Request-ID": "r1", "Set-Cookie": "session=hidden"})

    assert desk.ask(timeframe="1Day").content == body

    with desk.database.transaction() as connection:
        row = connection.execute(
            "select vendor, dataset, question, method, status, headers, body_bytes, body_sha256, "
            "received_at >= requested_at from market.vendor_responses"
        ).fetchone()
    assert row is not None
    digest = hashlib.sha256(body).digest()
    assert row[:5] == ("acme", "bars/1d", {"symbols": ["AAPL"]}, "GET", 200)
    assert row[5]["x-request-id"] == "r1"
    assert "hidden" not in str(row[5])
    assert row[6:] == (len(body), digest, True)
    (fetch,) = stored_fetches(desk.database, "acme", "bars/1d")
    assert [page.body for page in fetch.pages] == [body]
    assert list(stored_fetches(desk.database, "acme", "bars/1d", since=datetime(2100, 1, 1, tzinfo=UTC))) == []


def test_secrets_of_the_address_are_stored_nowhere_and_shown_in_no_error(desk: Desk, vendor: VendorStandIn) -> None:
    vendor.faults.extend([Reply({"message": "no"}, 401)])
    with pytest.raises(AuthFailed) as raised:
        desk.ask(apiKey="hunter2", limit="5")
    assert "hunter2" not in f"{raised.value}{desk.stored()}"
    assert desk.stored() == [(401, f"{desk.url}/bars?apiKey=removed&limit=5")]


@pytest.mark.parametrize(
    ("status", "error"),
    [
        *((status, ContractBroken) for status in (301, 302, 304, 400, 405, 409, 418, 422, 451)),
        *((status, AuthFailed) for status in (401, 402, 403, 407)),
        *((status, NotFound) for status in (404, 410)),
    ],
)
def test_status_that_no_repetition_cures_is_asked_once(
    desk: Desk, vendor: VendorStandIn, status: int, error: type[Exception]
) -> None:
    vendor.faults.append(Reply({"message": "because of this"}, status))
    with pytest.raises(error, match=rf"acme answered {status} to GET {desk.url}/bars"):
        desk.ask()
    assert [asked for asked, _ in desk.stored()] == [status]


@pytest.mark.parametrize("status", [408, 425, 429, 500, 501, 502, 503, 504, 520, 599])
def test_status_that_may_pass_is_tried_again_and_every_answer_kept(
    desk: Desk, vendor: VendorStandIn, status: int
) -> None:
    vendor.faults.extend([Reply("<h1>Oops</h1>", status, {})] * 2)
    assert desk.ask().json() == {"bars": {}}
    assert [asked for asked, _ in desk.stored()] == [status, status, 200]


@pytest.mark.parametrize(("status", "error"), [(429, RateLimited), (500, Transient), (503, Transient)])
def test_status_that_does_not_pass_ends_after_the_attempts_of_the_policy(
    desk: Desk, vendor: VendorStandIn, status: int, error: type[Exception]
) -> None:
    vendor.faults.extend([Reply({"message": "busy"}, status)] * 9)
    with pytest.raises(error, match=f"acme answered {status} .*busy"):
        desk.ask()
    assert len(vendor.asked) == QUICK.attempts


@pytest.mark.parametrize("fault", [RESET, SILENCE, TRICKLE, cut_short({"bars": {}})])
def test_fault_of_the_wire_is_tried_again(desk: Desk, vendor: VendorStandIn, fault: Reply) -> None:
    vendor.faults.append(fault)
    assert desk.ask().json() == {"bars": {}}
    assert desk.stored() == [(200, f"{desk.url}/bars")]


@pytest.mark.parametrize("fault", [RESET, SILENCE, cut_short({"bars": {}})])
def test_wire_that_stays_broken_is_unreachable(desk: Desk, vendor: VendorStandIn, fault: Reply) -> None:
    vendor.faults.extend([fault] * 9)
    with pytest.raises(Unreachable, match="acme does not answer at http"):
        desk.ask()
    assert len(vendor.asked) == QUICK.attempts


def test_answer_that_cannot_be_unpacked_breaks_the_contract(desk: Desk, vendor: VendorStandIn) -> None:
    vendor.faults.append(Reply(b"no gzip at all", headers={"Content-Encoding": "gzip"}))
    with pytest.raises(ContractBroken, match="cannot be unpacked"):
        desk.ask()


def test_answer_is_stored_unpacked(desk: Desk, vendor: VendorStandIn) -> None:
    vendor.faults.append(Reply(gzip.compress(b'{"bars": {}}'), headers={"Content-Encoding": "gzip"}))
    assert desk.ask().json() == {"bars": {}}
    (fetch,) = stored_fetches(desk.database, "acme", "bars/1d")
    assert [page.body for page in fetch.pages] == [b'{"bars": {}}']


def test_nobody_listening_is_unreachable(desk: Desk) -> None:
    desk.url = "http://127.0.0.1:9"
    with pytest.raises(Unreachable, match=r"acme does not answer at http://127.0.0.1:9/bars"):
        desk.ask()


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (HTML_PAGE, "no JSON"),
        (Reply(b""), "an empty body"),
        (Reply('{"bars": {"A": [{'), "no JSON"),
        (Reply([]), "list"),
    ],
)
def test_success_without_a_readable_body_breaks_the_contract_and_is_kept(
    desk: Desk, vendor: VendorStandIn, body: Reply, complaint: str
) -> None:
    vendor.faults.append(body)
    with pytest.raises(ContractBroken, match=rf"acme, GET .*\(response 1\): the answer is .*{complaint}"):
        desk.ask()
    assert len(desk.stored()) == 1


def test_retry_after_is_respected(desk: Desk, vendor: VendorStandIn) -> None:
    vendor.faults.append(Reply(b"", 429, {"Retry-After": "1.5"}))
    desk.ask()
    assert 1.5 in desk.waits


def test_retry_after_beyond_patience_gives_up_at_once(desk: Desk, vendor: VendorStandIn) -> None:
    vendor.faults.append(Reply(b"", 429, {"Retry-After": "3600"}))
    with pytest.raises(RateLimited) as raised:
        desk.ask()
    assert raised.value.retry_after_s == 3600
    assert len(vendor.asked) == 1


def test_rest_that_the_vendor_asked_for_holds_for_other_processes(desk: Desk, vendor: VendorStandIn) -> None:
    other = SharedTokenBucket(desk.database, "acme:1234", capacity=1000, per_minute=60_000)
    vendor.faults.append(Reply(b"", 429, {"Retry-After": "2"}))
    desk.ask()
    assert 1.0 < other.reserve(patience_s=10) <= 2.0


def test_sending_outside_of_a_fetch_is_refused(desk: Desk) -> None:
    with pytest.raises(RuntimeError, match=r"outside of VendorGateway\.fetch"):
        desk.session.get(desk.url + "/bars")


def test_bucket_lets_its_capacity_through_and_then_spaces_requests(database: Database) -> None:
    bucket = SharedTokenBucket(database, "acme:1", capacity=3, per_minute=60)
    again = SharedTokenBucket(database, "acme:1", capacity=3, per_minute=60)
    waits = [(bucket if turn % 2 else again).reserve(patience_s=60) for turn in range(6)]
    assert waits[:3] == [0, 0, 0]
    assert waits[3:] == pytest.approx([1, 2, 3], abs=0.5)


def test_bucket_gives_no_turn_twice_to_processes_that_ask_at_once(database: Database) -> None:
    def reserve(_turn: int) -> float:
        return SharedTokenBucket(database, "acme:1", capacity=4, per_minute=6).reserve(patience_s=600)

    with ThreadPoolExecutor(8) as many:
        waits = sorted(many.map(reserve, range(16)))
    assert waits[:4] == [0] * 4
    # Twelve turns beyond the capacity, ten seconds each, less what refilled while they were taken.
    assert 60 < waits[-1] <= 120
    assert all(later > earlier for earlier, later in pairwise(waits[4:]))


def test_bucket_beyond_patience_refuses_without_taking_a_turn(database: Database) -> None:
    bucket = SharedTokenBucket(database, "acme:1", capacity=1, per_minute=6)
    bucket.reserve(patience_s=5)
    for _ in range(3):
        with pytest.raises(RateLimited, match="more than 6 requests a minute"):
            bucket.reserve(patience_s=5)
    assert bucket.reserve(patience_s=20) == pytest.approx(10, abs=1)


def test_bucket_of_another_key_is_another_bucket(database: Database) -> None:
    SharedTokenBucket(database, "acme:1", capacity=1, per_minute=6).reserve(patience_s=5)
    assert SharedTokenBucket(database, "acme:2", capacity=1, per_minute=6).reserve(patience_s=5) == 0


def test_quarantined_row_is_kept_once(desk: Desk) -> None:
    desk.ask()
    row = QuarantinedRow(1, "AAPL", 7, "c is no number", '{"c": "x"}')
    desk.gateway.quarantine([row])
    desk.gateway.quarantine([row, QuarantinedRow(1, "AAPL", 8, "h is below l", "{}")])
    with desk.database.transaction() as connection:
        rows = connection.execute("select section, position, reason from market.quarantined_rows order by 2").fetchall()
    assert rows == [("AAPL", 7, "c is no number"), ("AAPL", 8, "h is below l")]


def test_stored_response_that_changed_on_disk_is_refused(desk: Desk) -> None:
    desk.ask()
    with desk.database.transaction() as connection:
        connection.execute("alter table market.vendor_responses disable trigger append_only")
        connection.execute("update market.vendor_responses set body_sha256 = sha256('other')")
    with pytest.raises(ContractBroken, match="vendor_responses 1 is not what was received"):
        list(stored_fetches(desk.database, "acme", "bars/1d"))


def test_stored_response_cannot_be_changed(desk: Desk) -> None:
    desk.ask()
    with pytest.raises(psycopg.errors.IntegrityError, match="append-only"), desk.database.transaction() as connection:
        connection.execute("update market.vendor_responses set status = 500")
