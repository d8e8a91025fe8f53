"""The broker's calendar in the graph: equal, differing, unanswered and absent, and what each does to the gates."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from standins.bar_rows import half_hours
from standins.http_vendor import Asked, Reply, VendorStandIn

from trading_assets.adapters.postgres.broker_sessions import store_calendar
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.sample import SampleSource
from trading_assets.defs.ingestion.assets import bars, instruments
from trading_assets.defs.ingestion.broker_calendar import AGREEMENT, broker_sessions, judge_calendar
from trading_assets.defs.ingestion.checks import bars_checks
from trading_assets.defs.resources import RESOURCES
from trading_assets.domain.market.broker_calendar import BrokerSession
from trading_assets.domain.market.sessions import NEW_YORK, is_session, session, sessions_between
from trading_assets.quality.outcomes import ExpectationOutcome
from trading_assets.quality.suites import Severity
from trading_assets.settings import TradingSettings

DATA = Path(__file__).parents[1] / "data" / "alpaca"
HALF_DAY = date(2024, 7, 3)
EVENING = datetime(2024, 7, 3, 22, tzinfo=UTC)


def settings_of(source: str = "alpaca", **more: Any) -> TradingSettings:
    facts = {"source": source, "universe": ["AAPL"], "timeframes": ["1h"], "strategies": {}}
    return TradingSettings.model_validate(facts | more)


def listed(first: date, last: date, **hours: tuple[str, str]) -> list[dict[str, str]]:
    """Alpaca's days as the exchange has them; `hours` replaces those of a day, such as d2024_07_03."""
    usual = {
        day: tuple(f"{at.astimezone(NEW_YORK):%H:%M}" for at in (session(day).opens_at, session(day).closes_at))
        for day in sessions_between(first, last)
    }
    usual |= {date.fromisoformat(name[1:].replace("_", "-")): times for name, times in hours.items()}
    return [{"date": f"{day}", "open": times[0], "close": times[1]} for day, times in sorted(usual.items())]


@pytest.fixture
def alpaca() -> Iterator[VendorStandIn]:
    def answer_bars(asked: Asked) -> Reply:
        return Reply({"bars": {"AAPL": half_hours("2024-07-03T13:30:00Z", "2024-07-03T17:00:00Z")}})

    with VendorStandIn().running() as standin:
        standin.routes["/v2/stocks/bars"] = answer_bars
        standin.routes["/v2/assets/AAPL"] = Reply((DATA / "asset.json").read_bytes())
        yield standin


def tick(alpaca: VendorStandIn, database: Database, monkeypatch: pytest.MonkeyPatch) -> dg.ExecuteInProcessResult:
    """Instruments, calendar, bars and checks of the half day, as the hourly run has them."""

    class Evening:
        def now(self) -> datetime:
            return EVENING

    for name in ("ALPACA_API_KEY", "ALPACA_SECRET_KEY"):
        monkeypatch.setenv(name, "key")
    monkeypatch.setenv("DATABASE_URL", database.url)
    addresses = {"data_url": alpaca.url, "trading_url": alpaca.url, "requests_per_minute": 60_000}
    resources = {**RESOURCES, "settings": settings_of(alpaca=addresses), "clock": Evening()}
    with dg.DagsterInstance.ephemeral() as instance:
        assert dg.materialize([instruments], instance=instance, resources=resources).success
        return dg.materialize(
            [broker_sessions, bars, bars_checks],
            instance=instance,
            resources=resources,
            partition_key=f"{HALF_DAY}",
            raise_on_error=False,
        )


def verdict(result: dg.ExecuteInProcessResult) -> dg.AssetCheckEvaluation:
    (found,) = [each for each in result.get_asset_check_evaluations() if each.check_name == AGREEMENT.name]
    return found


def gate(database: Database) -> tuple[str, list[str]]:
    with database.transaction() as connection:
        row = connection.execute("select state, failing_checks from ops.quality_gates").fetchone()
    assert row is not None
    return row[0], row[1]


def test_equal_calendars_open_the_gate(
    alpaca: VendorStandIn, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    alpaca.routes["/v2/calendar"] = Reply(listed(HALF_DAY, HALF_DAY + timedelta(days=14)))

    result = tick(alpaca, database, monkeypatch)

    found = verdict(result)
    assert found.passed
    assert found.metadata["observed"].value == "1 sessions compared with the calendar of alpaca"
    assert gate(database) == ("open", [])
    (asked,) = [asked for asked in alpaca.asked if asked.path == "/v2/calendar"]
    assert (asked.query["start"], asked.query["end"]) == ("2024-07-03", "2024-07-17")


def test_half_day_that_the_broker_lacks_closes_the_gate_and_is_named(
    alpaca: VendorStandIn, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    alpaca.routes["/v2/calendar"] = Reply(
        listed(HALF_DAY, HALF_DAY + timedelta(days=14), d2024_07_03=("09:30", "16:00"))
    )

    found = verdict(tick(alpaca, database, monkeypatch))

    assert not found.passed
    assert found.severity is dg.AssetCheckSeverity.ERROR
    assert found.blocking
    (row,) = found.metadata["first_offenders"].records
    assert row.data == {
        "session_date": "2024-07-03",
        "fault": "other_hours",
        "exchange_hours": "09:30-13:00",
        "broker_hours": "09:30-16:00",
    }
    assert gate(database) == ("closed", [AGREEMENT.name])


def test_broker_that_does_not_answer_leaves_the_gate_waiting(
    alpaca: VendorStandIn, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    alpaca.routes["/v2/calendar"] = Reply({"message": "forbidden."}, 403)

    result = tick(alpaca, database, monkeypatch)

    assert not result.success
    assert gate(database) == ("pending", [])


# The judgement -----------------------------------------------------------------------------------


def judged(
    database: Database, days: list[BrokerSession], first: date, last: date, now: datetime, source: str = "alpaca"
) -> ExpectationOutcome:
    import pandas as pd

    frame = pd.DataFrame([(day, "AAPL") for day in sessions_between(first, last)], columns=["session_date", "symbol"])
    with database.transaction() as connection:
        store_calendar(connection, days, "alpaca")
        return judge_calendar(connection, settings_of(source), first, last, now, frame)


def days_of(first: date, last: date) -> list[BrokerSession]:
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    return [
        BrokerSession(day, session(day).opens_at, session(day).closes_at)
        if is_session(day)
        else BrokerSession(day, None, None)
        for day in days
    ]


def test_source_without_a_calendar_passes_and_says_that_nothing_was_compared(database: Database) -> None:
    outcome = judged(database, [], HALF_DAY, HALF_DAY, EVENING, source=SampleSource.name)
    assert outcome.passed
    assert outcome.observed == "not compared: source sample has no broker's calendar, and no fall-back has one"


def test_session_that_the_broker_was_never_asked_about_fails(database: Database) -> None:
    outcome = judged(database, [], HALF_DAY, HALF_DAY, EVENING)
    assert not outcome.passed
    assert outcome.touched == {(HALF_DAY, "AAPL")}
    assert outcome.offenders[0]["fault"] == "unknown"


def test_closure_that_the_broker_has_not_heard_of_fails_and_touches_no_other_session(database: Database) -> None:
    first, last = date(2025, 1, 7), date(2025, 1, 10)
    mourning = BrokerSession(
        date(2025, 1, 9), datetime(2025, 1, 9, 14, 30, tzinfo=UTC), datetime(2025, 1, 9, 21, tzinfo=UTC)
    )
    days = [day for day in days_of(first, last) if day.session_date != mourning.session_date]

    outcome = judged(database, [*days, mourning], first, last, datetime(2025, 1, 10, 22, tzinfo=UTC))

    assert (outcome.passed, outcome.unexpected_count, outcome.touched) == (False, 1, frozenset())
    assert outcome.offenders[0]["fault"] == "extra"
    assert outcome.expectation.blocking


def test_difference_in_a_session_to_come_warns_and_closes_nothing(database: Database) -> None:
    today = date(2025, 7, 1)
    days = [day for day in days_of(today, date(2025, 7, 15)) if day.session_date != date(2025, 7, 3)]
    days.append(BrokerSession(date(2025, 7, 3), None, None))

    outcome = judged(database, days, today, today, datetime(2025, 7, 1, 20, tzinfo=UTC))

    assert not outcome.passed
    assert (outcome.expectation.severity, outcome.expectation.blocking) == (Severity.WARNING, False)
    assert outcome.touched == frozenset()
    assert (outcome.offenders[0]["session_date"], outcome.offenders[0]["fault"]) == ("2025-07-03", "missing")


def test_past_session_is_not_blamed_for_a_later_one(database: Database) -> None:
    days = [*days_of(HALF_DAY, HALF_DAY), BrokerSession(date(2024, 7, 5), None, None)]
    assert judged(database, days, HALF_DAY, HALF_DAY, datetime(2024, 8, 1, tzinfo=UTC)).passed
