"""Every accounting identity holds on a consistent ledger, and turns red when it is broken."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from trading_assets.adapters.dbt import PROJECT_DIRECTORY, DbtProject, NodeResult
from trading_assets.adapters.postgres.database import Database

FIRST_FILL = "(select min(execution_id) from execution.fills)"
FIRST_ORDER = "(select min(client_order_id) from execution.orders)"
AT_THE_END = "where at = (select max(at) from execution.equity)"
LAST_SNAPSHOT = "session_date = (select max(session_date) from execution.positions)"

# Those of the book's risk are broken where there is a measurement, in test_risk_of_the_book.
OF_RISK = {"contributions_add_up_to_the_risk", "alerts_change_the_state", "risk_is_that_of_the_ledger"}
VERSIONS = {"momentum": "1.0+aaaaaaaa", "reversion": "1.0+bbbbbbbb"}

FAULTS = {
    "position_is_sum_of_fills_and_actions": f"delete from execution.fills where execution_id = {FIRST_FILL}",
    "every_movement_reaches_a_position": (
        "delete from execution.positions where (session_date, strategy, symbol) = "
        "(select session_date, strategy, symbol from execution.fills order by execution_id limit 1)"
    ),
    "equity_is_flows_and_profit_less_fees": f"update execution.equity set fees_usd = fees_usd + 0.01 {AT_THE_END}",
    "equity_is_cash_receivables_and_positions": (
        f"update execution.equity set equity_usd = equity_usd + 0.01 {AT_THE_END}"
    ),
    "change_of_equity_is_explained": (
        "update execution.equity set cash_usd = cash_usd + 1, equity_usd = equity_usd + 1, "
        f"dividends_usd = dividends_usd + 1 {AT_THE_END}"
    ),
    "cash_is_settled_activities_and_fills": "delete from execution.activities where kind = 'fee_sec'",
    "strategies_and_unallocated_are_the_account": (
        f"update execution.equity set fees_usd = fees_usd + 0.01, equity_usd = equity_usd - 0.01 {AT_THE_END}"
    ),
    "positions_add_up_to_equity": f"delete from execution.positions where value_usd <> 0 and {LAST_SNAPSHOT}",
    "profit_is_cash_flow_and_value": (
        f"update execution.fills set price = price + 0.01 where execution_id = {FIRST_FILL}"
    ),
    "every_fill_has_its_order": (
        f"update execution.fills set client_order_id = 'unknown' where execution_id = {FIRST_FILL}"
    ),
    "every_order_was_approved": f"update execution.orders set qty = qty + 1 where client_order_id = {FIRST_ORDER}",
    "fills_stay_within_their_order": f"update execution.fills set qty = qty + 1 where execution_id = {FIRST_FILL}",
    "an_intent_has_one_live_order": (
        "drop index execution.orders_use_an_approval_once; "
        "insert into execution.orders select 'twin-' || n, intent_id, 1 + n, account_id, strategy, strategy_version, "
        "symbol, side, qty, order_type, time_in_force, limit_price, stop_price, submitted_at, session_date, now() "
        f"from execution.orders, generate_series(1, 2) as n where client_order_id = {FIRST_ORDER}; "
        "insert into execution.order_events "
        "select 'twin-' || n, 1, 'WORKING', 1, now(), '2020-01-02', '' from generate_series(1, 2) as n"
    ),
    "every_order_has_a_status": f"delete from execution.order_events where client_order_id = {FIRST_ORDER}",
    "denials_name_the_failed_rule": "update risk.verdict_checks set is_passed = true where not is_passed",
    "signals_were_decided_at_a_bar_close": "update strategy.signals set decision_at = decision_at + interval '1 s'",
    "fees_are_allocated_to_the_cent": (
        "insert into execution.activities (activity_id, account_id, kind, amount_usd, at, settles_on, session_date) "
        "select 'stray', account_id, 'fee_taf', -1, opened_at, '1999-01-04', '1999-01-04' from execution.accounts"
    ),
    "round_trips_add_up_to_profit": (
        f"update execution.positions set realised_usd = realised_usd + 1 where {LAST_SNAPSHOT}"
    ),
    "performance_agrees_with_daily_equity": (
        "insert into analytics.performance (account_id, session_date, equity_usd, return_pct, total_return_pct, "
        "drawdown_pct, max_drawdown_pct, exposure_pct) "
        "select account_id, session_date, equity_usd, 0.5, 0, 0, 0, 0 from execution.equity"
    ),
    "figures_count_in_the_order_of_their_versions": (
        "insert into market.financials (symbol, statement, item, months, period_end, version, amount, counts_from, "
        "source) select 'X', 'income', 'revenues', 3, '2024-03-30', n, n, timestamptz '2024-05-03' "
        "- n * interval '1 d', 'v' from generate_series(1, 2) as n"
    ),
    "verdicts_were_priced_by_what_was_known": (
        "insert into market.bars (symbol, timeframe, ts, version, closes_at, session_date, open, high, low, close, "
        "volume, source) select symbol, timeframe, ts, 2, closes_at, session_date, open, high, low, close / 2, volume, "
        "source from market.bars where version = 1; "
        "update risk.verdicts set reference_price = reference_price / 2"
    ),
    "parts_of_the_cost_add_up_exactly": (
        "update analytics.fct_order_costs set impact_usd = impact_usd + 0.000001 "
        "where client_order_id = (select min(client_order_id) from analytics.fct_order_costs)"
    ),
    "shortfall_is_profit_on_paper_less_profit": (
        f"update execution.fills set price = price + 0.01 where execution_id = {FIRST_FILL}"
    ),
}


@pytest.fixture(scope="module")
def results(ledger: Database, tmp_path_factory: pytest.TempPathFactory) -> dict[str, NodeResult]:
    project = DbtProject(target=tmp_path_factory.mktemp("dbt"))
    return {result.unique_id.split(".")[2]: result for result in project.build(ledger.url)}


def red_rows(database: Database, result: NodeResult, fault: str) -> int:
    """What the test finds after the fault, in a transaction without append-only guards that is rolled back."""
    with database.transaction() as connection:
        connection.execute("set local session_replication_role = replica")
        connection.execute(fault)
        found = len(connection.execute(result.compiled_sql).fetchall())
        connection.rollback()
        return found


def test_build_on_a_consistent_ledger_is_green(results: dict[str, NodeResult]) -> None:
    assert [result for result in results.values() if not result.is_ok] == []


def test_faults_cover_every_identity() -> None:
    assert set(FAULTS) | OF_RISK == {path.stem for path in (PROJECT_DIRECTORY / "tests").glob("*.sql")}


@pytest.mark.parametrize("identity", FAULTS)
def test_identity_when_broken_is_red(identity: str, ledger: Database, results: dict[str, NodeResult]) -> None:
    assert red_rows(ledger, results[identity], "select 1") == 0
    assert red_rows(ledger, results[identity], FAULTS[identity]) > 0


def test_unit_tests_of_the_models_pass(ledger: Database, results: dict[str, NodeResult], tmp_path: Path) -> None:
    outcomes = DbtProject(target=tmp_path).unit_test(ledger.url)
    assert len(outcomes) == 5
    assert [outcome.message for outcome in outcomes if not outcome.is_ok] == []


def test_cost_of_an_order_is_the_one_counted_by_hand(ledger: Database, results: dict[str, NodeResult]) -> None:
    """100 AAA bought at 47.33 + 0.01 after a decision at 46.42, and sold at 45.26 - 0.01 after one at 46.29."""
    with ledger.transaction() as connection:
        costs = connection.execute(
            "select side, decision_price, arrival_price, average_price, close_price, close_session, delay_usd, "
            "impact_usd, opportunity_usd, shortfall_usd - fee_usd from analytics.fct_order_costs "
            "where client_order_id in ('order-momentum-AAA-5', 'order-momentum-AAA-15') order by submitted_at"
        ).fetchall()
    bought, sold = (map(Decimal, prices.split()) for prices in ("46.42 47.33 47.34 47.33", "46.29 45.26 45.25 45.26"))
    assert costs == [
        ("buy", *bought, date(2020, 1, 10), 91, 1, 0, 92),
        ("sell", *sold, date(2020, 1, 24), 103, 1, 0, 104),
    ]


def test_costs_of_all_orders_are_what_the_fills_lost_and_the_broker_charged(
    ledger: Database, results: dict[str, NodeResult]
) -> None:
    with ledger.transaction() as connection:
        summed = connection.execute(
            "select sum(order_count), sum(impact_usd), sum(fee_usd), sum(opportunity_usd), bool_and(filled_pct = 100) "
            "from analytics.fct_cost_summary"
        ).fetchone()
        expected = connection.execute(
            "select (select count(*) from execution.orders), (select sum(0.01 * qty) from execution.fills), "
            "(select -sum(amount_usd) from execution.activities where kind = 'fee_sec'), 0, true"
        ).fetchone()
    assert summed == expected


def test_round_trip_through_zero_is_two_trips(ledger: Database, results: dict[str, NodeResult]) -> None:
    with ledger.transaction() as connection:
        crossing = connection.execute(
            "select count(*) from analytics.int_fills__cut_into_trips where leg_no = 2"
        ).fetchone()[0]
        trips, dividends = connection.execute(
            "select count(*), sum(dividends_usd) from analytics.fct_round_trips"
        ).fetchone()
        booked = connection.execute(
            "select sum(amount_usd) from execution.activities where kind = 'dividend'"
        ).fetchone()[0]
    assert crossing > 0
    assert trips > crossing
    assert dividends == booked > 0


def test_every_session_has_a_line_for_each_strategy_and_version_and_one_for_the_account(
    ledger: Database, results: dict[str, NodeResult]
) -> None:
    with ledger.transaction() as connection:
        lines = connection.execute(
            "select strategy, strategy_version, count(*), sum(net_pnl_usd) <> 0, bool_and(allocated_usd > 0), "
            "sum(session_fees_usd) > 0 from analytics.fct_daily_strategy_performance "
            "where session_date >= (select min(session_date) from execution.fills) group by 1, 2 order by 1"
        ).fetchall()
        sessions = connection.execute(
            "select count(distinct session_date) from execution.equity "
            "where session_date >= (select min(session_date) from execution.fills)"
        ).fetchone()[0]
    own = [(strategy, version, sessions, True, True, True) for strategy, version in VERSIONS.items()]
    assert [line for line in lines if line[0] != "(unallocated)"] == own
    assert ("(unallocated)", None, sessions, False) in [line[:4] for line in lines]


def test_every_order_has_its_whole_lineage(ledger: Database, results: dict[str, NodeResult]) -> None:
    with ledger.transaction() as connection:
        orders = connection.execute("select count(*) from execution.orders").fetchone()[0]
        whole = connection.execute(
            "select count(*) from analytics.fct_order_lineage where bar_close is not null and signal is not null "
            "and target_weight is not null and filled_qty >= ordered_qty"
        ).fetchone()[0]
    assert whole == orders > 0
