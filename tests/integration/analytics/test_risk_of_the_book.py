"""The book of a real ledger measured at every close, its limits checked, and people told once a change."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import psycopg
import pytest

from trading_assets.adapters.dbt import DbtProject
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.risk_overview import risk_overview
from trading_assets.adapters.report import render as report
from trading_assets.adapters.risk_page import render
from trading_assets.defs.analytics.assets import report_data
from trading_assets.defs.risk.assets import alerts, dashboard, portfolio_risk
from trading_assets.defs.risk.jobs import risk_sensor
from trading_assets.defs.risk.risk_monitor import RiskMonitor
from trading_assets.domain.journal import BreakerEvent, BreakerState
from trading_assets.domain.market.sessions import session
from trading_assets.domain.risk.breakers import BreakerAction
from trading_assets.domain.risk.trading_states import Scope, StateChange
from trading_assets.domain.risk.verdicts import TradingState
from trading_assets.domain.risk.watched_limits import WATCHED
from trading_assets.settings import PROJECT_ROOT, TradingSettings

GUIDE = PROJECT_ROOT / "docs" / "guides" / "risk.md"
FIRST, LAST = date(2020, 1, 2), date(2020, 3, 6)
SESSIONS = 45
DBT_TESTS_OF_RISK = ("contributions_add_up_to_the_risk", "alerts_change_the_state", "risk_is_that_of_the_ledger")
MARTS_OF_RISK = (
    *("dim_accounts", "stg_execution__accounts", "stg_execution__equity", "stg_execution__positions"),
    *("stg_risk__portfolio_risk", "stg_risk__position_risk", "stg_risk__stress_results"),
    *("stg_risk__limit_checks", "stg_risk__alert_events"),
    *("fct_portfolio_risk", "fct_position_risk", "fct_risk_limits"),
    *("stg_risk__verdicts", "stg_risk__verdict_checks", "fct_verdicts"),
    *DBT_TESTS_OF_RISK,
)
AFTERWARDS = datetime(2020, 3, 9, 12, tzinfo=UTC)
SETTINGS = TradingSettings.model_validate(
    {
        "source": "sample",
        "universe": ["AAA", "BBB"],
        "timeframes": ["1d"],
        "strategies": {},
        "risk": {
            "max_gross_exposure": 0.14,
            "max_net_exposure": 0.2,
            "max_beta_exposure": 0.5,
            "max_position": 0.1,
            "max_sector_exposure": 0.3,
            "max_stress_loss": 0.05,
            "stop_all_drawdown": 0.5,
        },
        "risk_monitor": {"min_returns": 20, "lookback_sessions": 30, "max_value_at_risk": 0.01},
    }
)


class SetClock:
    def __init__(self, at: datetime = AFTERWARDS) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at


def rows(database: Database, query: str) -> list[tuple[Any, ...]]:
    with database.transaction() as connection:
        return connection.execute(query).fetchall()


TOLD = "select message_id, subject from notification.messages where event = 'limit_alert' order by occurred_at, 1"


@pytest.fixture(scope="module")
def measured(ledger: Database) -> Database:
    """The ledger, its book measured and its limits checked over all sessions at once."""
    monitor = RiskMonitor(ledger, SETTINGS, AFTERWARDS)
    assert monitor.measure(FIRST, LAST) == SESSIONS
    assert monitor.alert(FIRST, LAST) > 0
    return ledger


def test_every_session_has_one_measurement_at_its_close(measured: Database) -> None:
    found = rows(measured, "select session_date, at, gross_usd, equity_usd from risk.portfolio_risk order by at")
    assert [at for _, at, _, _ in found] == [session(day).closes_at for day, _, _, _ in found]
    assert len(found) == SESSIONS
    assert (
        rows(
            measured,
            "select count(*) from risk.portfolio_risk as r join (select session_date, symbol, sum(value_usd) as value "
            "from execution.positions group by 1, 2) as p using (session_date) group by at, gross_usd "
            "having abs(sum(abs(value)) - gross_usd::numeric) > 0.001",
        )
        == []
    )


def test_history_that_is_too_short_is_said_and_not_filled(measured: Database) -> None:
    missing = rows(
        measured,
        "select tail_missing, beta_missing, beta from risk.portfolio_risk "
        "where session_date = '2020-01-16' and var_95_usd is null",
    )
    assert missing == [("too few returns, 20 are needed: AAA 10, BBB 10",) * 2 + (None,)]
    stress = rows(
        measured,
        "select scenario, profit_usd is null from risk.stress_results where session_date = '2020-01-16' "
        "order by scenario_no",
    )
    assert [is_missing for _, is_missing in stress] == [True, True, True, True, False]


def test_figures_are_those_of_the_closes_by_hand(measured: Database) -> None:
    """BBB pays nothing and splits later: with it alone in the book, its returns are those of its closes."""
    day = date(2020, 2, 20)
    values = dict(
        rows(measured, f"select symbol, value_usd from risk.position_risk where session_date = '{day}' order by 1")
    )
    days = [one for (one,) in rows(measured, "select session_date from risk.portfolio_risk order by 1") if one <= day]
    stored = rows(measured, "select symbol, session_date, close from market.bars")
    close = {(symbol, session_date): price for symbol, session_date, price in stored}
    closes = {symbol: np.array([close[symbol, one] for one in days[-31:]]) for symbol in values}
    # The dividend of AAA, 0.55 USD, is part of its return.
    returns = {}
    for symbol, series in closes.items():
        paid = np.zeros(30)
        if symbol == "AAA":
            ex_date = rows(measured, "select ex_date from market.corporate_actions where kind = 'cash_dividend'")[0][0]
            paid[[one == ex_date for one in days[-30:]]] = 0.55
        returns[symbol] = series[1:] / (series[:-1] - paid) - 1
    profits = sum(values[symbol] * returns[symbol] for symbol in values)

    (figures,) = rows(
        measured,
        "select var_95_usd, cvar_95_usd, tail_sessions, parametric_var_95_usd, "
        "(select sum(component_var_95_usd) from risk.position_risk as p where p.at = r.at), "
        "(select sum(component_cvar_95_usd) from risk.position_risk as p where p.at = r.at) "
        f"from risk.portfolio_risk as r where session_date = '{day}'",
    )

    assert figures[:3] == (pytest.approx(np.percentile(profits, 5)), pytest.approx(np.sort(profits)[:2].mean()), 30)
    assert figures[4] == pytest.approx(figures[3])
    assert figures[5] == pytest.approx(figures[1])


def test_measuring_again_or_one_session_alone_changes_nothing(measured: Database) -> None:
    queries = ("select * from risk.portfolio_risk order by at", "select * from risk.position_risk order by at, symbol")
    before, told = [rows(measured, query) for query in queries], rows(measured, TOLD)
    monitor = RiskMonitor(measured, SETTINGS, AFTERWARDS)

    assert monitor.measure(FIRST, LAST) == 0
    assert monitor.alert(FIRST, LAST) == 0
    resources = {"database": measured, "settings": SETTINGS, "clock": SetClock()}
    run = dg.materialize([portfolio_risk, alerts], resources=resources, partition_key="2020-02-20")

    results = run.get_asset_materialization_events()
    assert [event.materialization.metadata["rows_written"].value for event in results] == [0, 0]
    assert [rows(measured, query) for query in queries] == before
    assert rows(measured, TOLD) == told


def test_each_change_is_one_event_and_one_message(measured: Database) -> None:
    events = rows(measured, "select limit_name, event_no, previous, state from risk.alert_events order by 1, 2")
    assert {"max_gross_exposure", "max_position", "max_value_at_risk"} <= {name for name, *_ in events}
    for name in {name for name, *_ in events}:
        states = [(previous, state) for one, _, previous, state in events if one == name]
        assert [previous for previous, _ in states] == ["clear", *(state for _, state in states[:-1])]
        assert all(previous != state for previous, state in states)
    assert len(rows(measured, TOLD)) == len(events)
    # Without twenty returns the value at risk is unknown, and that is told first.
    assert ("max_value_at_risk", 1, "clear", "unknown") in events


def test_marts_show_the_newest_check_of_each_limit_and_its_headroom(measured: Database, tmp_path: Path) -> None:
    results = DbtProject(target=tmp_path).build(measured.url, select=MARTS_OF_RISK)
    assert [(result.unique_id, result.message) for result in results if not result.is_ok] == []
    limits = rows(
        measured,
        "select limit_name, round(usage_pct + headroom_pct), alert_state, checked_at, price_age_s, value is null "
        "from analytics.fct_risk_limits order by 1",
    )
    states = dict(rows(measured, "select limit_name, state from risk.alerts"))
    closes_at = session(LAST).closes_at
    assert limits == [(name, 100, states.get(name, "clear"), closes_at, 0, False) for name in sorted(WATCHED)]
    ((count, worst),) = rows(
        measured, "select count(*), count(*) filter (where worst_scenario_usd < 0) from analytics.fct_portfolio_risk"
    )
    assert (count, worst > 0) == (SESSIONS, True)
    questions = re.search(r"```sql\n(.+?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    for question in questions[1].strip().split(";\n"):  # type: ignore[index]
        assert rows(measured, question)


def test_page_shows_each_limit_the_book_and_what_stops_trading(
    measured: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRADING_HOME", str(tmp_path))
    resources = {"database": measured, "settings": SETTINGS, "clock": SetClock()}
    (result,) = dg.materialize([dashboard], resources=resources).get_asset_materialization_events()

    html = Path(result.materialization.metadata["page"].value).read_text(encoding="utf-8")
    assert "Trading is active." in html
    for name in WATCHED:
        assert name in html
    for text in ("1987-10-19", "Correlations", "QUALITY_GATE_CLOSED", "AAA", "2020-03-06 21:00"):
        assert text in html
    # Nothing is asked of the network.
    assert re.findall(r'(?:src|href)="(?!#)[^"]*"|@import|url\((?!#)|<script|<link', html) == []
    assert html.count("<polyline") == len(WATCHED)


def test_page_names_who_and_what_keeps_orders_back(measured: Database) -> None:
    with measured.transaction() as connection:
        overview = risk_overview(connection, AFTERWARDS)
    halted = StateChange(1, Scope.ACCOUNT, "*", TradingState.HALTED, False, AFTERWARDS, "Ada", "<script>why</script>")
    reducing = replace(halted, scope=Scope.STRATEGY, subject="momentum", state=TradingState.REDUCING)
    tripped = BreakerEvent("account", "drawdown", 1, BreakerState.TRIPPED, AFTERWARDS, LAST, {"change": "-0.2"})
    daily = replace(tripped, breaker="daily_loss")

    def shown(states: list[StateChange], breakers: list[BreakerEvent]) -> str:
        return render(replace(overview, states=states, breakers=breakers), {})

    assert "Trading is halted." in shown([halted], [])
    assert "account (all) is halted since 2020-03-09 12:00 UTC, by Ada: &lt;script&gt;" in shown([halted], [])
    assert "Only orders that reduce a position pass." in shown([], [tripped])
    assert "breaker drawdown tripped at 2020-03-09 12:00 UTC" in shown([], [tripped])
    # These two hold orders back without putting the whole account into another state.
    assert "Trading is active." in shown([reducing], [daily])
    assert "no new positions in this session" in shown([], [daily])
    flatten = render(replace(overview, states=[], breakers=[tripped]), {"drawdown": BreakerAction.HALT})
    assert "Trading is halted." in flatten


def test_page_before_the_first_measurement_says_so(measured: Database) -> None:
    with measured.transaction() as connection:
        html = render(risk_overview(connection, datetime(2020, 1, 1, tzinfo=UTC)), {})
    assert "not measured yet" in html
    assert "No limit has been checked yet." in html


def test_report_tests_the_forecasts_against_the_sessions_after_them(measured: Database) -> None:
    data = report_data(measured, SETTINGS.universe, LAST)
    forecasts = data.var_forecasts
    var_95 = dict(
        rows(measured, "select session_date, var_95_usd / equity_usd from risk.portfolio_risk where var_95_usd < 0")
    )
    made = {
        day: forecast
        for day, forecast in zip(data.sessions, forecasts.historical_95, strict=True)
        if np.isfinite(forecast) and forecast
    }
    assert made == {
        after: pytest.approx(float(var_95[before])) for before, after in pairwise(data.sessions) if before in var_95
    }
    html = report(data)
    assert "Value at risk, tested" in html
    assert html.count("<svg") == 5
    worse = sum(returned < made[day] for day, returned in zip(data.sessions, data.returns, strict=True) if day in made)
    assert f"<td>{len(made)}</td><td>{len(made) * 0.05:.1f}</td><td>{worse}</td>" in html


def test_figures_that_do_not_add_up_are_found(measured: Database, tmp_path: Path) -> None:
    def spoil(amount: int) -> None:
        with measured.transaction() as connection:
            connection.execute("set local session_replication_role = replica")
            connection.execute("update risk.portfolio_risk set equity_usd = equity_usd + %s", (amount,))
            connection.execute(
                "update risk.position_risk set component_var_95_usd = component_var_95_usd + %s", (amount,)
            )
            connection.execute(
                "update risk.alert_events set at = at - %s * event_no * interval '1 day'", (amount * 99,)
            )

    spoil(1)
    results = DbtProject(target=tmp_path).build(measured.url, select=DBT_TESTS_OF_RISK)
    spoil(-1)
    assert {result.unique_id.split(".")[-1]: result.is_ok for result in results} == dict.fromkeys(
        DBT_TESTS_OF_RISK, False
    )


def test_recorded_alert_cannot_be_changed(measured: Database) -> None:
    with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="append-only"):
        rows(measured, "delete from risk.alert_events")


def test_session_under_way_is_measured_now_with_the_book_of_the_last_close(measured: Database) -> None:
    day = date(2020, 3, 9)
    at = session(day).opens_at + timedelta(minutes=7)
    with measured.transaction() as connection:
        before = connection.execute("select max(at) from risk.portfolio_risk").fetchone()
    assert RiskMonitor(measured, SETTINGS, at).measure(day, day) == 1
    found = rows(
        measured,
        "select at, marked_at, start_equity_usd = equity_usd, tail_sessions from risk.portfolio_risk "
        f"where session_date = '{day}'",
    )
    rows(measured, f"delete from risk.portfolio_risk where session_date = '{day}' returning 1")
    assert found == [(at, before[0], True, 30)]  # type: ignore[index]


def looking_at(measured: Database, clock: SetClock) -> dg.SensorEvaluationContext:
    return dg.build_sensor_context(resources={"database": measured, "clock": clock, "settings": SETTINGS})


@pytest.mark.parametrize(
    ("at", "asked"),
    [
        (session(LAST).closes_at + timedelta(hours=1), False),
        (session(date(2020, 3, 9)).opens_at + timedelta(minutes=1), True),
        # Nobody has led the account so far: what would be measured is long past.
        (session(date(2020, 6, 1)).opens_at + timedelta(minutes=1), False),
    ],
)
def test_sensor_measures_in_session_and_not_after_it(measured: Database, at: datetime, asked: bool) -> None:
    answer = risk_sensor(looking_at(measured, SetClock(at)))
    assert isinstance(answer, dg.RunRequest) is asked


def test_sensor_measures_each_fill_once(measured: Database) -> None:
    clock = SetClock(session(LAST).closes_at + timedelta(hours=1))
    rows(measured, "update risk.portfolio_risk set measured_at = '2020-01-01' returning 1")

    requests = [risk_sensor(looking_at(measured, clock)) for _ in "ab"]
    rows(measured, "update risk.portfolio_risk set measured_at = clock_timestamp() returning 1")

    assert len({request.run_key for request in requests}) == 1
    assert {request.partition_key for request in requests} == {f"{LAST}"}
    assert "filled" in requests[0].run_key
