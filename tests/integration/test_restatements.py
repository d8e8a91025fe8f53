"""Which stored facts were restated, and exactly which decisions had used the old values."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import dagster as dg
import pytest
from psycopg import Connection

from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.fundamentals import store_figures
from trading_assets.defs.analytics.restatements import no_decision_used_a_restated_value, restatements
from trading_assets.domain.market.fundamentals import ReportedFigure, Statement, readable_from

WEEK = [date(2024, 5, day) for day in (6, 7, 8, 9, 10)]
RESTATED = WEEK[1]
KNOWN_AT = datetime(2024, 5, 9, 12, tzinfo=UTC)
"""Before the close of the fourth session."""


def close_of(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 20, tzinfo=UTC)


def put_bar(
    connection: Connection,
    day: date,
    close: float,
    symbol: str = "X",
    version: int = 1,
    known_at: datetime | None = None,
) -> None:
    closes_at = close_of(day)
    connection.execute(
        "insert into market.bars (symbol, timeframe, ts, version, closes_at, session_date, open, high, low, close, "
        "volume, source, known_at) values (%s, '1d', %s, %s, %s, %s, 10, 12, 8, %s, 1000, %s, %s)",
        (
            symbol,
            closes_at - timedelta(hours=6.5),
            version,
            closes_at,
            day,
            close,
            f"vendor {version}",
            known_at or closes_at,
        ),
    )


def decide(
    connection: Connection, day: date, symbol: str = "X", timeframe: str = "1d", strategy: str = "trend"
) -> None:
    """A signal, its target, an approved verdict and the order, at the close of `day`."""
    at, key = close_of(day), (strategy, "1+aa", symbol)
    intent = f"{strategy}-{symbol}-{day}"
    connection.execute(
        "insert into strategy.signals (strategy, strategy_version, symbol, timeframe, decision_at, session_date, "
        "signal, reason) values (%s, %s, %s, %s, %s, %s, 0.5, 'up')",
        (*key, timeframe, at, day),
    )
    connection.execute(
        "insert into strategy.targets values (%s, %s, %s, %s, %s, 0.5, 1, 0.5)",
        (*key, at, day),
    )
    connection.execute(
        "insert into risk.verdicts (intent_id, account_id, strategy, strategy_version, symbol, side, purpose, "
        "decision_at, session_date, target_weight, requested_qty, approved_qty, outcome, reference_price) "
        "values (%s, 'A', %s, %s, %s, 'buy', 'rebalance', %s, %s, 0.5, 5, 5, 'approved', 10)",
        (intent, *key, at, day),
    )
    connection.execute("insert into risk.approvals values (%s, 5, %s, %s)", (intent, at, at + timedelta(minutes=2)))
    connection.execute(
        "insert into execution.orders (client_order_id, intent_id, account_id, strategy, strategy_version, symbol, "
        "side, qty, order_type, time_in_force, submitted_at, session_date) "
        "values (%s, %s, 'A', %s, %s, %s, 'buy', 5, 'market', 'day', %s, %s)",
        (f"o-{intent}", intent, *key, at, day),
    )


@pytest.fixture
def week(database: Database) -> Database:
    """A week of two symbols, decided upon at every close, daily and hourly."""
    with database.transaction() as connection:
        connection.execute(
            "insert into execution.accounts (account_id, broker, fingerprint, inception_session, opening_cash_usd) "
            "values ('A', 'simulated', 'f', '2024-05-06', 1000)"
        )
        for day in WEEK:
            for symbol in ("X", "Y"):
                put_bar(connection, day, 10.0, symbol)
                decide(connection, day, symbol)
            decide(connection, day, "X", "1h", "scalper")
    return database


def listed(database: Database) -> list[tuple[str, str, str, date]]:
    with database.transaction() as connection:
        return connection.execute(
            "select decision, strategy, symbol, session_date from analytics.decisions_on_restated_values "
            "order by session_date, strategy, decision"
        ).fetchall()


def test_first_versions_are_no_restatements(week: Database) -> None:
    assert listed(week) == []
    with week.transaction() as connection:
        assert connection.execute("select count(*) from analytics.restatements").fetchone() == (0,)


def test_decisions_from_the_restated_bar_until_the_restatement_are_listed_and_no_others(week: Database) -> None:
    with week.transaction() as connection:
        put_bar(connection, RESTATED, 10.2, version=2, known_at=KNOWN_AT)
    assert listed(week) == [
        (decision, "trend", "X", day)
        for day in (RESTATED, date(2024, 5, 8))
        for decision in ("order", "signal", "target", "verdict")
    ]


def test_decision_at_the_very_moment_of_the_restatement_uses_the_new_value(week: Database) -> None:
    with week.transaction() as connection:
        put_bar(connection, RESTATED, 10.2, version=2, known_at=close_of(WEEK[2]))
    assert {day for *_, day in listed(week)} == {RESTATED}


def test_second_restatement_lists_those_who_used_the_first_one(week: Database) -> None:
    with week.transaction() as connection:
        put_bar(connection, RESTATED, 10.2, version=2, known_at=KNOWN_AT)
        put_bar(connection, RESTATED, 10.1, version=3, known_at=KNOWN_AT + timedelta(days=1))
        spans = connection.execute(
            "select session_date, counted_until from analytics.decisions_on_restated_values "
            "where decision = 'signal' order by 1"
        ).fetchall()
    assert [(day, until.day) for day, until in spans] == [(RESTATED, 9), (WEEK[2], 9), (WEEK[3], 10)]


def test_decision_names_its_intent_order_and_account(week: Database) -> None:
    with week.transaction() as connection:
        put_bar(connection, RESTATED, 10.2, version=2, known_at=KNOWN_AT)
        row = connection.execute(
            "select account_id, intent_id, client_order_id, decided, dataset, replaced_values "
            "from analytics.decisions_on_restated_values where decision = 'order' and session_date = %s",
            (RESTATED,),
        ).fetchone()
    intent = f"trend-X-{RESTATED}"
    assert row == ("A", intent, f"o-{intent}", Decimal(5), "market/bars", 1)


def test_corporate_action_concerns_bars_of_every_length_from_its_ex_date_on(week: Database) -> None:
    with week.transaction() as connection:
        for version, amount, known_at in ((1, 0.5, close_of(WEEK[0])), (2, 0.6, KNOWN_AT)):
            connection.execute(
                "insert into market.corporate_actions (symbol, ex_date, kind, version, amount_usd, source, known_at) "
                "values ('X', '2024-05-08', 'cash_dividend', %s, %s, 'v', %s)",
                (version, amount, known_at),
            )
    assert {(strategy, day) for _, strategy, _, day in listed(week)} == {("scalper", WEEK[2]), ("trend", WEEK[2])}


def test_action_corrected_before_its_ex_date_concerned_nobody(week: Database) -> None:
    with week.transaction() as connection:
        for version, known_at in ((1, close_of(WEEK[0])), (2, close_of(WEEK[1]))):
            connection.execute(
                "insert into market.corporate_actions (symbol, ex_date, kind, version, amount_usd, source, known_at) "
                "values ('X', '2024-05-09', 'cash_dividend', %s, %s, 'v', %s)",
                (version, 0.5 * version, known_at),
            )
    assert listed(week) == []


def test_every_changed_column_is_a_row_with_both_values(week: Database) -> None:
    with week.transaction() as connection:
        put_bar(connection, RESTATED, 10.2, version=2, known_at=KNOWN_AT)
    filed = [(100.0, readable_from(date(2024, 5, 2))), (90.0, readable_from(date(2024, 6, 3)))]
    line = ("X", Statement.INCOME, "revenues", 3, date(2024, 3, 30))
    with week.transaction() as connection:
        figures = [ReportedFigure(*line, amount, "USD", filed_at=filed_at) for amount, filed_at in filed]
        store_figures(connection, figures, "polygon")
        rows = connection.execute(
            "select dataset, timeframe, fact, version, column_name, old_value, new_value, round(change_bps), "
            "old_source, source from analytics.restatements order by dataset"
        ).fetchall()
        (counted,) = connection.execute(
            "select counted_from, counted_until from analytics.restatements where dataset = 'market/financials'"
        ).fetchall()
    assert rows == [
        (
            "market/bars",
            "1d",
            "1d bar of 2024-05-07 13:30 UTC",
            2,
            "close",
            "10",
            "10.2",
            200.0,
            "vendor 1",
            "vendor 2",
        ),
        (
            "market/financials",
            None,
            "revenues of 3 months to 2024-03-30",
            2,
            "amount",
            "100",
            "90",
            -1000.0,
            "polygon",
            "polygon",
        ),
    ]
    assert counted == tuple(filed_at for _, filed_at in filed)


def report_on(database: Database) -> tuple[dict[str, object], dg.AssetCheckEvaluation]:
    result = dg.materialize([restatements, no_decision_used_a_restated_value], resources={"database": database})
    (event,) = result.get_asset_materialization_events()
    (check,) = result.get_asset_check_evaluations()
    return {name: value.value for name, value in event.materialization.metadata.items()}, check


def test_report_without_restatements_is_green(week: Database) -> None:
    report, check = report_on(week)
    assert (report["dagster/row_count"], report["preview"], check.passed) == (0, "none", True)


def test_report_shows_what_changed_and_the_check_warns_of_who_used_it(week: Database) -> None:
    with week.transaction() as connection:
        put_bar(connection, RESTATED, 10.2, version=2, known_at=KNOWN_AT)
    report, check = report_on(week)
    assert "| market/bars | X | 1d bar of 2024-05-07 13:30 UTC | close | 10 | 10.2 | 200.00 |" in str(report["preview"])
    assert "| market/bars | 1 | 1 | 200.00 |" in str(report["restated_datasets"])
    assert "| trend | X | order | market/bars | 2 |" in str(report["decisions_on_old_values"])
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert check.metadata["affected_decisions"].value == 8
