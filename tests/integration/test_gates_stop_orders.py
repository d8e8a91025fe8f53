"""A failing blocking check closes the gate of the symbol, and then no launch path sends an order for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest
from standins.platform import InProcessPlatform, session_tags

from trading_assets.adapters.postgres import market
from trading_assets.adapters.postgres.corporate_actions import store_actions
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.ledger_hash import ledger_hash
from trading_assets.adapters.sample import SampleSource
from trading_assets.defs.execution.assets import APPROVED_ORDERS, FILLS, ORDERS, POSITIONS
from trading_assets.defs.execution.sensors import execution_sensor
from trading_assets.defs.execution.trading_desk import TradingDesk
from trading_assets.defs.ingestion.assets import BARS
from trading_assets.domain.market.corporate_actions import ActionKind, CorporateAction
from trading_assets.domain.market.instruments import Instrument
from trading_assets.domain.market.sessions import next_session, session
from trading_assets.quality.suites import BARS as SUITE
from trading_assets.settings import TradingSettings

FIRST, BEFORE, DAY = date(2012, 11, 19), date(2012, 11, 23), date(2012, 11, 26)
"""On DAY the strategy wants to buy both symbols, and the account begins."""
CLOSE = session(DAY).closes_at
FAULTY, SOUND = "IBM", "MSFT"
SETTINGS = TradingSettings.model_validate(
    {
        "source": "sample",
        "universe": [FAULTY, SOUND],
        "timeframes": ["1d"],
        "strategies": {"sma_crossover": {"capital_weight": 0.6, "parameters": {"fast": 2, "slow": 4}}},
        "risk": {"max_order_notional": 0.4, "max_position": 0.4},
    }
)
SAMPLE = SampleSource()
TRADING_SESSION = [APPROVED_ORDERS, ORDERS, FILLS, POSITIONS]
Plant = Callable[[pd.DataFrame], pd.DataFrame]

# Faults -------------------------------------------------------------------------------------------


def with_values(**values: Any) -> Plant:
    def plant(frame: pd.DataFrame) -> pd.DataFrame:
        for name, value in values.items():
            frame.loc[at_fault(frame), name] = value
        return frame

    return plant


def with_factor(**factors: float) -> Plant:
    def plant(frame: pd.DataFrame) -> pd.DataFrame:
        for name, factor in factors.items():
            frame.loc[at_fault(frame), name] *= factor
        return frame

    return plant


def shifted(**shifts: timedelta) -> Plant:
    def plant(frame: pd.DataFrame) -> pd.DataFrame:
        for name, shift in shifts.items():
            frame.loc[at_fault(frame), name] += shift
        return frame

    return plant


def repeated(frame: pd.DataFrame) -> pd.DataFrame:
    values = ["open", "high", "low", "close", "volume"]
    before = SAMPLE.bars([FAULTY], SETTINGS.timeframes[0], BEFORE, BEFORE, CLOSE)
    frame.loc[at_fault(frame), values] = before[values].to_numpy()
    return frame


def unknown_symbol(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([frame, frame[at_fault(frame)].assign(symbol="ZZZ")], ignore_index=True)


def at_fault(frame: pd.DataFrame) -> pd.Series:
    return (frame["symbol"] == FAULTY) & (frame["session_date"] == DAY)


def unchanged(frame: pd.DataFrame) -> pd.DataFrame:
    return frame


@dataclass(frozen=True)
class Fault:
    """What the vendor delivers for one session; `culprit` is whose gate must close."""

    plant: Plant = unchanged
    culprit: str = FAULTY
    actions: tuple[CorporateAction, ...] = ()


UNSHOWN_SPLIT = CorporateAction(FAULTY, DAY, ActionKind.SPLIT, split_ratio=Decimal(2))
FAULTS = {
    "bars_have_no_missing_values": Fault(with_values(close=np.nan)),
    "bars_belong_to_known_instruments": Fault(unknown_symbol, culprit="ZZZ"),
    "bars_have_positive_prices": Fault(with_values(low=0.0)),
    "bars_have_finite_values": Fault(with_values(volume=np.inf)),
    "bars_have_high_above_low": Fault(with_factor(low=1.5)),
    "bars_have_high_above_open_and_close": Fault(with_factor(high=0.9)),
    "bars_have_low_below_open_and_close": Fault(with_factor(low=1.1)),
    "bars_have_no_negative_volume": Fault(with_values(volume=-1.0)),
    "bars_lie_inside_their_session": Fault(shifted(closes_at=timedelta(hours=1))),
    "bars_lie_on_the_session_grid": Fault(shifted(ts=timedelta(minutes=1))),
    "bars_follow_each_other": Fault(shifted(ts=-timedelta(hours=71))),
    "bars_have_ended": Fault(shifted(closes_at=timedelta(days=3000))),
    "bars_do_not_repeat": Fault(repeated),
    "bars_have_no_unexplained_split": Fault(with_factor(open=0.5, high=0.5, low=0.5, close=0.5)),
    "bars_show_every_known_split": Fault(actions=(UNSHOWN_SPLIT,)),
    "adjusted_prices_go_on_at_ex_dates": Fault(actions=(UNSHOWN_SPLIT,)),
}
NEVER_STORED = {
    # The table cannot hold them, so no check of a stored bar can meet them; the suite would find them all the same.
    "bars_have_all_columns",
    "bars_are_unique",
    "bars_have_known_timeframes",
    "bars_start_before_they_end",
}
ONE = "bars_have_high_above_low"


def test_faults_cover_every_blocking_check() -> None:
    blocking = {each.name for each in SUITE.expectations if each.blocking}
    assert blocking == {*FAULTS, *NEVER_STORED, "bars_have_no_gaps"}


# The platform -------------------------------------------------------------------------------------


@dataclass
class Vendor:
    """The bundled history, and on one day a fault."""

    fault: Fault = field(default_factory=Fault)
    name: str = SAMPLE.name

    def instruments(self, symbols: Sequence[str]) -> list[Instrument]:
        return SAMPLE.instruments(symbols)

    def bars(self, *arguments: Any) -> pd.DataFrame:
        return self.fault.plant(SAMPLE.bars(*arguments).copy())

    def corporate_actions(self, *arguments: Any) -> list[CorporateAction]:
        return [*SAMPLE.corporate_actions(*arguments), *self.fault.actions]


CHECKS_JOB = dg.define_asset_job("checks_job", selection=dg.AssetSelection.checks_for_assets(BARS))


class Platform(InProcessPlatform):
    """The graph at the close of DAY, with a vendor that may be at fault."""

    def __init__(self, database: Database) -> None:
        self.vendor = Vendor()
        at = CLOSE + timedelta(seconds=5)
        super().__init__(database, SETTINGS, at, bar_source=self.vendor, jobs=[CHECKS_JOB])

    def run(
        self, job: str, first: date = DAY, last: date | None = None, assets: Sequence[dg.AssetKey] | None = None
    ) -> dg.ExecuteInProcessResult:
        return super().run(job, first, last, assets, raise_on_error=False)

    def materialise(self, *assets: dg.AssetKey) -> dg.ExecuteInProcessResult:
        """What the button of the UI does: these assets, without the checks of others."""
        return self.run("backfill_job", assets=assets)

    def look(self, sensor: dg.SensorDefinition) -> list[dg.ExecuteInProcessResult]:
        """One tick of a sensor, and the runs that it asks for."""
        return [self.run(sensor.job_name, date.fromisoformat(request.partition_key)) for request in self.ask(sensor)]

    def store_and_check(self, fault: Fault) -> dg.ExecuteInProcessResult:
        """The fault arrives as a later version of the bars, and the checks run."""
        self.store(fault)
        return self.run("checks_job")

    def store(self, fault: Fault) -> None:
        frame = fault.plant(SAMPLE.bars(SETTINGS.universe, SETTINGS.timeframes[0], DAY, DAY, CLOSE))
        with self.database.transaction() as connection:
            store_actions(connection, fault.actions, "test")
            market.store_bars(connection, frame)

    def orders(self) -> list[str]:
        return [symbol for (symbol,) in self.rows("select symbol from execution.orders order by symbol")]

    def gate(self, symbol: str) -> tuple[str, list[str]] | None:
        found = self.rows(
            f"select state, failing_checks from ops.quality_gates where session_date = '{DAY}' and symbol = '{symbol}'"
        )
        return found[0] if found else None


def red(result: dg.ExecuteInProcessResult) -> set[str]:
    return {
        evaluation.check_name
        for evaluation in result.get_asset_check_evaluations()
        if not evaluation.passed and evaluation.blocking
    }


def reason(result: dg.ExecuteInProcessResult) -> str:
    failures = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    described = [failure.user_failure_data for failure in failures if failure.user_failure_data]
    return str(described[0].description) if described else str(failures[0].error)


@pytest.fixture(scope="module")
def prepared(new_module_database: Callable[..., Database]) -> dict[str, Database]:
    """Databases `before` DAY, and `ready` to trade on DAY, when everything but the session itself is there."""
    before = Platform(new_module_database())
    before.clock.at = session(BEFORE).closes_at
    ingestion_to_targets = before.selected_by("refresh_data_job")
    stored = before.run("backfill_job", FIRST, BEFORE, ingestion_to_targets)
    assert stored.success, reason(stored)
    ready = Platform(new_module_database(before.database))
    assert ready.run("backfill_job", DAY, DAY, ingestion_to_targets).success
    return {"before": before.database, "ready": ready.database}


@pytest.fixture
def before(prepared: dict[str, Database], new_database: Callable[..., Database]) -> Platform:
    return Platform(new_database(prepared["before"]))


@pytest.fixture
def ready(prepared: dict[str, Database], new_database: Callable[..., Database]) -> Platform:
    return Platform(new_database(prepared["ready"]))


# Without a fault every path sends orders ------------------------------------------------------------


def test_sound_bars_whole_graph_sends_both_orders(before: Platform) -> None:
    assert before.run("backfill_job").success
    assert before.orders() == [FAULTY, SOUND]


def test_sound_bars_session_alone_sends_both_orders(ready: Platform) -> None:
    assert ready.materialise(*TRADING_SESSION).success
    assert ready.orders() == [FAULTY, SOUND]


def test_sound_bars_tick_and_sensor_send_both_orders(before: Platform) -> None:
    assert before.run("hourly_tick_job").success
    assert before.orders() == []
    assert [result.success for result in before.look(execution_sensor)] == [True]
    assert before.orders() == [FAULTY, SOUND]
    assert before.look(execution_sensor) == []


# Every fault ----------------------------------------------------------------------------------------


# How a red check stops what follows is the same for all: a value, a symbol of nobody, and a corporate action.
@pytest.mark.parametrize("name", [ONE, "bars_belong_to_known_instruments", "bars_show_every_known_split"])
def test_fault_stops_the_whole_graph_before_any_order(name: str, before: Platform) -> None:
    fault = FAULTS[name]
    before.vendor.fault = fault

    result = before.run("backfill_job")

    assert not result.success
    assert name in red(result)
    state, failing = before.gate(fault.culprit) or ("absent", [])
    assert (state, name in failing) == ("closed", True)
    assert before.orders() == []


@pytest.mark.parametrize("name", FAULTS)
def test_fault_of_stored_bars_keeps_the_session_alone_from_sending(name: str, ready: Platform) -> None:
    fault = FAULTS[name]
    checked = ready.store_and_check(fault)

    ready.materialise(*TRADING_SESSION)

    assert name in red(checked)
    state, failing = ready.gate(fault.culprit) or ("absent", [])
    assert (state, name in failing) == ("closed", True)
    assert [symbol for symbol in ready.orders() if symbol == fault.culprit] == []
    assert (ready.gate(SOUND), SOUND in ready.orders()) == (("open", []), True)


def test_missing_bar_fails_the_whole_graph_before_any_order(before: Platform) -> None:
    before.vendor.fault = Fault(lambda frame: frame[~at_fault(frame)])

    result = before.run("backfill_job")

    assert reason(result).startswith(f"Source sample: no 1d bar of {FAULTY} for the finished session {DAY}.")
    assert before.orders() == []


def test_bar_that_was_never_stored_keeps_the_session_alone_from_sending(ready: Platform) -> None:
    with ready.database.transaction() as connection:
        connection.execute("set local session_replication_role = replica")
        connection.execute("delete from market.bars where symbol = %s and session_date = %s", (FAULTY, DAY))

    checked = ready.run("checks_job")
    ready.materialise(*TRADING_SESSION)

    assert red(checked) == {"bars_have_no_gaps"}
    assert ready.gate(FAULTY) == ("closed", ["bars_have_no_gaps"])
    assert ready.orders() == [SOUND]


# Every launch path ----------------------------------------------------------------------------------


def test_fault_stops_the_hourly_tick_before_any_approval(before: Platform) -> None:
    before.vendor.fault = FAULTS[ONE]

    result = before.run("hourly_tick_job")

    assert not result.success
    assert ONE in red(result)
    assert before.rows("select * from risk.approvals") == []
    assert before.look(execution_sensor) == []


def execute_trades(platform: Platform) -> list[dg.ExecuteInProcessResult]:
    return [platform.run("execute_trades_job")]


def materialise_orders(platform: Platform) -> list[dg.ExecuteInProcessResult]:
    return [platform.materialise(ORDERS)]


def decide_and_send(platform: Platform) -> list[dg.ExecuteInProcessResult]:
    return [platform.materialise(APPROVED_ORDERS, ORDERS)]


def look_with_the_sensor(platform: Platform) -> list[dg.ExecuteInProcessResult]:
    return platform.look(execution_sensor)


@pytest.mark.parametrize("launch", [execute_trades, materialise_orders, decide_and_send, look_with_the_sensor])
@pytest.mark.parametrize("is_checked", [True, False], ids=["closed", "pending"])
def test_approval_from_before_the_fault_is_refused_when_it_is_sent(
    launch: Callable[[Platform], list[dg.ExecuteInProcessResult]], is_checked: bool, ready: Platform
) -> None:
    assert ready.materialise(APPROVED_ORDERS).success
    assert ready.rows("select count(*) from risk.approvals") == [(2,)]
    ready.store(FAULTS[ONE])
    if is_checked:
        assert ONE in red(ready.run("checks_job"))

    (result,) = launch(ready)

    assert result.success
    assert ready.gate(FAULTY)[0] == ("closed" if is_checked else "pending")
    assert ready.orders() == [SOUND]
    refused = result.asset_materializations_for_node("trading_session")[-1].metadata["refused_at_submission"]
    assert f"buy {FAULTY}" in refused.value
    assert "RC-03 QUALITY_GATE_CLOSED" in refused.value


@pytest.mark.parametrize("later", [timedelta(0), timedelta(days=1)], ids=["at once", "the next day"])
def test_approval_that_was_refused_is_not_sent_by_a_replay(later: timedelta, ready: Platform) -> None:
    assert ready.materialise(APPROVED_ORDERS).success
    ready.store_and_check(FAULTS[ONE])
    execute_trades(ready)
    ready.clock.at += later

    assert ready.materialise(*TRADING_SESSION).success

    assert ready.orders() == [SOUND]


def test_gate_is_read_again_in_the_transaction_that_sends(ready: Platform) -> None:
    """A check that is about to close the gate makes the sender wait, and the sender sees what it decided."""
    assert ready.materialise(APPROVED_ORDERS).success
    sender = threading.Thread(target=execute_trades, args=[ready])
    with ready.database.transaction() as connection:
        connection.execute("update ops.quality_gates set state = 'closed' where symbol = %s", (FAULTY,))
        sender.start()
        deadline = time.monotonic() + 30
        while not ready.rows(WAITING) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert ready.orders() == []
    sender.join(60)

    assert ready.orders() == [SOUND]


WAITING = (
    "select from pg_locks where not granted and locktype = 'transactionid' "
    "and pid in (select pid from pg_stat_activity where datname = current_database())"
)


def test_corrected_bar_opens_the_gate_and_the_waiting_approval_is_sent(ready: Platform) -> None:
    assert ready.materialise(APPROVED_ORDERS).success
    ready.store_and_check(FAULTS[ONE])
    ready.store_and_check(Fault())

    execute_trades(ready)

    assert ready.orders() == [FAULTY, SOUND]


def test_approval_past_its_time_is_not_sent_and_starts_no_job(ready: Platform) -> None:
    assert ready.materialise(APPROVED_ORDERS).success
    ready.clock.at += timedelta(minutes=3)

    assert ready.look(execution_sensor) == []
    assert execute_trades(ready)[0].success
    assert ready.orders() == []


def test_approval_that_outlives_its_bar_is_not_sent(ready: Platform) -> None:
    patient = SETTINGS.model_copy(update={"risk": SETTINGS.risk.model_copy(update={"approval_ttl_s": 7 * 86_400})})
    following = session(next_session(DAY)).closes_at
    assert TradingDesk(ready.database, patient, CLOSE + timedelta(seconds=5)).decide(DAY).written["risk.verdicts"] == 2

    late = TradingDesk(ready.database, patient, following).submit(next_session(DAY))
    in_time = TradingDesk(ready.database, patient, following - timedelta(seconds=30)).submit(next_session(DAY))

    assert len(late.refused) == 2
    assert all("RC-04a BAR_NOT_NEWEST" in line for line in late.refused)
    assert not in_time.refused
    assert ready.orders() == [FAULTY, SOUND]


def test_reexecution_from_the_failure_asks_the_checks_again(before: Platform) -> None:
    before.vendor.fault = FAULTS[ONE]
    LAUNCHED["platform"] = before
    job = dg.reconstructable(launched_job)
    with dg.execute_job(job, before.instance, tags=session_tags(DAY, DAY)) as failed:
        assert not failed.success
        run_id = failed.run_id

    options = dg.ReexecutionOptions.from_failure(run_id, before.instance)
    with dg.execute_job(job, before.instance, tags=session_tags(DAY, DAY), reexecution_options=options) as again:
        steps = {event.step_key for event in again.all_events if event.is_step_start}

    assert not again.success
    assert steps == {"bars_suite"}
    assert before.gate(FAULTY)[0] == "closed"
    assert before.orders() == []


LAUNCHED: dict[str, Platform] = {}


def launched_job() -> dg.JobDefinition:
    return LAUNCHED["platform"].definitions.resolve_job_def("backfill_job")


# What else is refused -------------------------------------------------------------------------------


def test_session_that_has_not_begun_is_refused(ready: Platform) -> None:
    result = ready.run("backfill_job", next_session(DAY), assets=TRADING_SESSION)

    assert reason(result) == (
        "Session 2012-11-27 has not begun: it is 2012-11-26 21:00 UTC and the session opens at 2012-11-27 14:30 UTC. "
        "The newest session to materialise is 2012-11-26."
    )


def test_holiday_is_refused(ready: Platform) -> None:
    thanksgiving = date(2012, 11, 22)
    result = ready.run("backfill_job", thanksgiving, assets=TRADING_SESSION)

    assert reason(result) == "2012-11-22 is no trading session: the next one is 2012-11-23."


@pytest.mark.parametrize("phase", [[APPROVED_ORDERS], [ORDERS], [FILLS, POSITIONS], [APPROVED_ORDERS, ORDERS, FILLS]])
def test_single_phase_of_a_past_session_is_refused(phase: list[dg.AssetKey], ready: Platform) -> None:
    ready.clock.at = session(next_session(DAY)).opens_at + timedelta(minutes=1)

    result = ready.materialise(*phase)

    assert reason(result) == (
        "Sessions 2012-11-26 to 2012-11-26 are over: one phase alone runs only for the current session, 2012-11-27. "
        "To replay the past select risk/approved_orders, execution/orders, execution/fills and execution/positions "
        "together."
    )
    assert ready.rows("select * from execution.accounts") == []


def test_gap_between_sessions_is_refused_and_says_how_to_fill_it(ready: Platform) -> None:
    assert ready.run("backfill_job", BEFORE, assets=TRADING_SESSION).success
    later = date(2012, 11, 28)
    ready.clock.at = session(later).closes_at

    result = ready.run("backfill_job", later, assets=TRADING_SESSION)

    account = f"simulated-{SETTINGS.fingerprint()}-{BEFORE}"
    assert reason(result) == (
        f"Account {account} has reached session {BEFORE}, so session {later} cannot come next. "
        f"Run `trading backfill --from {DAY} --to 2012-11-27` first, or begin a new account with "
        f"`trading account open {later}`."
    )


def test_session_in_progress_is_part_of_the_gap(ready: Platform) -> None:
    ready.clock.at = session(DAY).opens_at + timedelta(hours=1)
    assert ready.run("backfill_job", BEFORE, assets=TRADING_SESSION).success
    with ready.database.transaction() as connection:
        connection.execute(
            "insert into execution.equity select account_id, at + interval '3 days', %s, cash_usd, receivable_usd, "
            "positions_usd, equity_usd, realised_usd, unrealised_usd, dividends_usd, fees_usd, flows_usd, "
            "high_water_mark_usd from execution.equity",
            (DAY,),
        )
    later = next_session(DAY)
    ready.clock.at = session(later).closes_at

    assert f"--from {DAY} --to {DAY}" in reason(ready.run("backfill_job", later, assets=TRADING_SESSION))


def test_session_without_any_data_is_refused_and_says_what_to_run(ready: Platform) -> None:
    ready.clock.at = session(next_session(DAY)).closes_at
    assert ready.materialise(*TRADING_SESSION).success

    result = ready.run("backfill_job", DAY, next_session(DAY), TRADING_SESSION)

    assert reason(result).startswith("No bars and no targets are stored for session 2012-11-27: run `trading backfill")


def test_decision_without_targets_is_refused_and_says_what_to_materialise(before: Platform) -> None:
    assert before.materialise(BARS).success

    result = before.materialise(APPROVED_ORDERS)

    assert "strategy/targets holds nothing for the newest closed bar, 2012-11-26 21:00 UTC" in reason(result)


def test_tick_before_the_first_decision_of_the_session_decides_nothing_and_succeeds(before: Platform) -> None:
    before.clock.at = CLOSE - timedelta(hours=2)

    result = before.run("hourly_tick_job")

    assert result.success, reason(result)
    assert before.rows("select * from risk.verdicts") == []


def test_replay_that_contradicts_the_record_fails_naming_it_and_stores_nothing(ready: Platform) -> None:
    assert ready.materialise(*TRADING_SESSION).success
    before = ledger_hash(ready.database)
    with ready.database.transaction() as connection:
        connection.execute("update strategy.targets set target_weight = target_weight / 2")

    result = ready.materialise(*TRADING_SESSION)

    assert reason(result).startswith("risk.verdicts: intent_id ")
    assert "requested_qty recorded" in reason(result)
    assert ledger_hash(ready.database) == before
