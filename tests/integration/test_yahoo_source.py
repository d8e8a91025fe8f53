"""YahooSource with the real yfinance and curl, against a Yahoo on 127.0.0.1 that misbehaves, and a real database."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from standins.http_vendor import HTML_PAGE, RESET, SILENCE, TRICKLE, Reply, VendorStandIn
from standins.yahoo_chart import chart, dividend, figure, profile, refusal, rows_of, split, statement

from trading_assets.adapters.errors import AuthFailed, ContractBroken, NotFound, Unreachable
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.fundamentals import store_facts, store_figures
from trading_assets.adapters.postgres.vendor_responses import SharedTokenBucket, StoredResponses, stored_fetches
from trading_assets.adapters.vendor_gateway import RetryPolicy, VendorGateway, json_object
from trading_assets.adapters.yahoo import YahooSource
from trading_assets.adapters.yahoo_wire import actions_in, bars_in
from trading_assets.domain.market.corporate_actions import ActionKind
from trading_assets.domain.values import Timeframe

HOUR, SESSION = Timeframe
FIRST, LAST = date(2024, 7, 2), date(2024, 7, 3)
FAR_FUTURE = datetime(2100, 1, 1, tzinfo=UTC)
CHART = "/v8/finance/chart/X"
QUICK = RetryPolicy(
    attempts=3, first_wait_s=0.01, patience_s=2.0, connect_timeout_s=0.3, read_timeout_s=0.3, total_timeout_s=0.6
)
EVENTS = {"splits": split("2024-07-03", 4), "dividends": dividend("2024-07-02", 0.25)}


@pytest.fixture
def yahoo() -> Iterator[VendorStandIn]:
    with VendorStandIn().running() as standin:
        standin.routes["/"] = Reply("", 404, {"Set-Cookie": "A3=secret; Path=/"})
        standin.routes["/v1/test/getcrumb"] = Reply("crumbled", headers={"Content-Type": "text/plain"})
        standin.routes[CHART] = Reply(chart(rows_of(FIRST, LAST, HOUR), HOUR, EVENTS))
        yield standin


@pytest.fixture
def source(database: Database, yahoo: VendorStandIn, tmp_path: Path) -> YahooSource:
    limiter = SharedTokenBucket(database, "yahoo:test", capacity=1000, per_minute=60_000)
    gateway = VendorGateway("yahoo", limiter, StoredResponses(database), QUICK, check=json_object)
    return YahooSource(gateway, yahoo.url, tmp_path)


def charts_asked(yahoo: VendorStandIn) -> int:
    return sum(asked.path == CHART for asked in yahoo.asked)


def bars_of(source: YahooSource, timeframe: Timeframe = HOUR) -> Any:
    return source.bars(["X"], timeframe, FIRST, LAST, FAR_FUTURE)


def test_bars_are_raw_and_their_answer_is_kept(source: YahooSource, yahoo: VendorStandIn, database: Database) -> None:
    bars = bars_of(source)
    assert len(bars) == 7 + 4
    assert bars.groupby("session_date")["close"].first().to_list() == [42.0, 10.5]
    asked = next(asked for asked in yahoo.asked if asked.path == CHART)
    assert asked.query["interval"] == "1h"
    assert asked.query["period1"] == str(int(datetime(2024, 7, 2, 4, tzinfo=UTC).timestamp()))
    assert "python" not in asked.headers["user-agent"]
    (fetch,) = stored_fetches(database, "yahoo", "bars/1h")
    assert bars_in(fetch)[0].equals(bars)


def test_cookie_and_crumb_are_used_and_never_stored(
    source: YahooSource, yahoo: VendorStandIn, database: Database
) -> None:
    bars_of(source)
    asked = next(asked for asked in yahoo.asked if asked.path == CHART)
    # Another test of this process may have fetched the crumb, which yfinance keeps; the request has it either way.
    assert asked.query["crumb"] == "crumbled"
    with database.transaction() as connection:
        rows = connection.execute("select url, headers::text, question::text from market.vendor_responses").fetchall()
    assert len(rows) == 1
    assert "crumbled" not in str(rows)
    assert "secret" not in str(rows)


def test_broken_row_is_quarantined_with_its_response(
    source: YahooSource, yahoo: VendorStandIn, database: Database
) -> None:
    rows = rows_of(FIRST, LAST, HOUR)
    rows[2] = (*rows[2][:4], -5.0, 1000)
    yahoo.routes[CHART] = Reply(chart(rows))
    assert len(bars_of(source)) == len(rows) - 1
    with database.transaction() as connection:
        quarantined = connection.execute("select section, position, reason from market.quarantined_rows").fetchall()
    assert quarantined == [("timestamp", 2, "close: Input should be greater than 0")]


def test_days_splits_and_dividends(source: YahooSource, yahoo: VendorStandIn, database: Database) -> None:
    yahoo.routes[CHART] = Reply(chart(rows_of(FIRST, LAST, SESSION), SESSION, EVENTS))
    assert bars_of(source, SESSION)["close"].to_list() == [42.0, 10.5]
    actions = source.corporate_actions(["X"], FIRST, LAST)
    assert [(action.kind, action.split_ratio, action.amount_usd) for action in actions] == [
        (ActionKind.CASH_DIVIDEND, None, Decimal(1)),
        (ActionKind.SPLIT, Decimal(4), None),
    ]
    (fetch,) = stored_fetches(database, "yahoo", "corporate_actions")
    assert actions_in(fetch)[0] == actions


def test_instruments_with_and_without_a_profile(source: YahooSource, yahoo: VendorStandIn) -> None:
    yahoo.routes[CHART] = Reply(chart([], SESSION))
    yahoo.routes["/v10/finance/quoteSummary/X"] = Reply(profile("Energy"))
    assert source.instruments(["X"])[0].sector == "Energy"
    yahoo.routes["/v10/finance/quoteSummary/X"] = Reply({"quoteSummary": {"result": None}}, 404)
    assert source.instruments(["X"])[0].sector is None


def test_restated_figures_and_changed_facts_are_new_versions(
    source: YahooSource, yahoo: VendorStandIn, database: Database
) -> None:
    stored = []
    for revenue, beta in [(391e9, 1.2), (391e9, 1.2), (390e9, 1.3)]:
        answers = {
            "annualTotalRevenue": statement(annualTotalRevenue=[figure("2024-09-30", revenue)]),
            "annualTotalAssets": statement(annualTotalAssets=[figure("2024-09-30", 365e9)]),
        }

        def lines(asked: Any, answers: Any = answers) -> Reply:
            named = (answers[name] for name in answers if name in asked.query["type"].split(","))
            return Reply(next(named, statement()))

        yahoo.routes["/ws/fundamentals-timeseries/v1/finance/timeseries/X"] = lines
        facts = {"quoteSummary": {"result": [{"defaultKeyStatistics": {"beta": beta, "sharesShort": 5}}]}}
        yahoo.routes["/v10/finance/quoteSummary/X"] = Reply(facts)
        with database.transaction() as connection:
            stored += [
                store_figures(connection, source.figures(["X"]), "yahoo"),
                store_facts(connection, source.facts(["X"]), "yahoo"),
            ]
    assert stored == [2, 2, 0, 0, 1, 1]
    with database.transaction() as connection:
        revenues = connection.execute(
            "select version, amount, response_id is not null from market.financials "
            "where statement = 'income' and item = 'TotalRevenue' order by version"
        ).fetchall()
    assert revenues == [(1, 391e9, True), (2, 390e9, True)]
    assert max(len(asked.query.get("type", "")) for asked in yahoo.asked) < 3000


def test_unknown_symbol_is_not_found_at_once(source: YahooSource, yahoo: VendorStandIn) -> None:
    yahoo.routes[CHART] = Reply(refusal("No data found, symbol may be delisted", "Not Found"), 404)
    with pytest.raises(NotFound, match="symbol may be delisted"):
        bars_of(source)
    assert charts_asked(yahoo) == 1


def test_range_that_yahoo_does_not_serve_is_not_found_in_its_words(source: YahooSource, yahoo: VendorStandIn) -> None:
    yahoo.routes[CHART] = Reply(refusal("1h data not available. It must be within the last 730 days."), 422)
    with pytest.raises(NotFound, match=r"yahoo has no 1h bars of X since 2024-07-02: 1h data .* 730 days"):
        bars_of(source)
    assert charts_asked(yahoo) == 1


def test_range_before_the_listing_has_no_bars(source: YahooSource, yahoo: VendorStandIn) -> None:
    yahoo.routes[CHART] = Reply(refusal("Data doesn't exist for startDate = 1, endDate = 2"), 400)
    assert bars_of(source).empty
    assert source.corporate_actions(["X"], FIRST, LAST) == []


def test_expired_login_is_renewed_once(source: YahooSource, yahoo: VendorStandIn) -> None:
    bars_of(source)
    yahoo.faults.append(Reply({"finance": {"error": {"description": "Invalid Crumb"}}}, 401))
    assert len(bars_of(source)) == 11


def test_login_that_stays_refused_is_said(source: YahooSource, yahoo: VendorStandIn) -> None:
    yahoo.routes[CHART] = Reply({"finance": {}}, 401)
    with pytest.raises(AuthFailed, match="401"):
        bars_of(source)


@pytest.mark.parametrize("fault", [Reply("busy", 503), Reply("slow down", 429), RESET, SILENCE, TRICKLE])
def test_passing_fault_is_ridden_out(source: YahooSource, yahoo: VendorStandIn, fault: Reply) -> None:
    good, asked = yahoo.routes[CHART], []

    def moody(request: Any) -> Reply:
        asked.append(request)
        return fault if len(asked) == 1 else good

    yahoo.routes[CHART] = moody
    assert len(bars_of(source)) == 11
    assert len(asked) == 2


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply("no", 451), ContractBroken),
        (Reply({"chart": {"result": None, "error": None}}), ContractBroken),
        (Reply('{"chart": {"result": [{"meta"', 200), ContractBroken),
        (TRICKLE, Unreachable),
    ],
)
def test_lasting_fault_is_one_of_our_errors(
    source: YahooSource, yahoo: VendorStandIn, reply: Reply, error: type[Exception]
) -> None:
    yahoo.routes[CHART] = reply
    with pytest.raises(error) as raised:
        bars_of(source)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("fault", [Reply("no", 429), Reply("no", 500), RESET, SILENCE, HTML_PAGE])
def test_charts_come_without_a_cookie_and_a_crumb_too(source: YahooSource, yahoo: VendorStandIn, fault: Reply) -> None:
    from yfinance.data import YfData

    bars_of(source)
    for forgotten in ("_crumb", "_cookie"):
        setattr(YfData(), forgotten, None)
    for path in ("/", "/v1/test/getcrumb"):
        yahoo.routes[path] = fault
    assert len(bars_of(source)) == 11


def test_nobody_there_is_unreachable(source: YahooSource, database: Database, tmp_path: Path) -> None:
    limiter = SharedTokenBucket(database, "yahoo:test", capacity=1000, per_minute=60_000)
    gateway = VendorGateway("yahoo", limiter, StoredResponses(database), QUICK, check=json_object)
    with pytest.raises(Unreachable, match=r"yahoo does not answer at http://127\.0\.0\.1:1/v8"):
        bars_of(YahooSource(gateway, "http://127.0.0.1:1", tmp_path))
