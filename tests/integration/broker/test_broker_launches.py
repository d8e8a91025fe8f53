"""However a run is started, an account at a broker gets no order after a bad bar, none twice, none for the past.

One check stands for all here: test_gates_stop_orders.py goes through every one of them for the simulated account.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import dagster as dg
import pandas as pd
import pytest
from standins.account_truth import untruths
from standins.broker_rehearsals import bar
from standins.dying_desks import DECIDED_AT, MortalAccount, mortal_account
from standins.http_vendor import RESET
from standins.platform import InProcessPlatform
from standins.rehearsed_account import DAY, SETTINGS, SYMBOLS, rows

from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.market import store_bars
from trading_assets.defs.execution.assets import APPROVED_ORDERS, FILLS, ORDERS, POSITIONS
from trading_assets.defs.execution.sensors import execution_sensor
from trading_assets.defs.ingestion.assets import BARS
from trading_assets.domain.market.corporate_actions import CorporateAction
from trading_assets.domain.market.instruments import Instrument
from trading_assets.domain.market.sessions import previous_session

FAULTY, SOUND = "AAA", "BBB"
CHECK = "bars_have_low_below_open_and_close"
CHECKS_JOB = dg.define_asset_job("checks_job", selection=dg.AssetSelection.checks_for_assets(BARS))
HOURS = {"09:30": 98_000, "10:30": 99_000, "11:30": 100_000}
"""When they begin, and the shares that were traded."""
TRADING = [APPROVED_ORDERS, ORDERS, FILLS, POSITIONS]


@dataclass
class Launches:
    """The graph over an account at a local Alpaca."""

    account: MortalAccount
    platform: InProcessPlatform
    vendor: Vendor

    def run(self, job: str, *assets: dg.AssetKey, first: date = DAY) -> dg.ExecuteInProcessResult:
        return self.platform.run(job, first, DAY, assets or None, raise_on_error=False)

    def posted(self) -> list[str]:
        return sorted(str(asked.body["symbol"]) for asked in self.account.alpaca.posts())

    def spoil(self, is_checked: bool) -> None:
        """A correction of the bar that was decided on arrives and is bad; the checks have run since, or not yet."""
        self.store(the_morning())
        assert red(self.run("checks_job")) == set()
        self.store(spoiled(the_morning()))
        if is_checked:
            assert red(self.run("checks_job")) == {CHECK}
        gates = rows(
            self.account.database, "select symbol, state, failing_checks from ops.quality_gates order by symbol"
        )
        faulty = ("closed", [CHECK]) if is_checked else ("pending", [])
        assert gates == [(FAULTY, *faulty), (SOUND, "open", [])]

    def store(self, bars: pd.DataFrame) -> None:
        with self.account.database.transaction() as connection:
            store_bars(connection, bars)


@dataclass
class Vendor:
    """Delivers `delivered`, whatever it is asked for."""

    delivered: pd.DataFrame
    name: str = SETTINGS.source

    def instruments(self, symbols: Sequence[str]) -> list[Instrument]:
        return [Instrument(symbol, symbol, "XNYS", is_tradable=True) for symbol in symbols]

    def bars(self, *_: object) -> pd.DataFrame:
        return self.delivered

    def corporate_actions(self, *_: object) -> list[CorporateAction]:
        return []


def the_morning() -> pd.DataFrame:
    """The hours of both symbols until the newest close."""
    bars = [bar(begins, symbol=symbol, volume=volume) for begins, volume in HOURS.items() for symbol in SYMBOLS]
    prices = {name: [float(getattr(one, name)) for one in bars] for name in ("open", "high", "low", "close", "volume")}
    facts = {name: [getattr(one, name) for one in bars] for name in ("symbol", "ts", "closes_at", "session_date")}
    return pd.DataFrame({**facts, **prices, "timeframe": "1h", "source": "test"})


def sound(bars: pd.DataFrame) -> pd.DataFrame:
    return bars


def spoiled(bars: pd.DataFrame) -> pd.DataFrame:
    """The last bar of FAULTY has its low, 102, above its open and its close."""
    is_last = (bars["symbol"] == FAULTY) & (bars["ts"] == bars["ts"].max())
    return bars.assign(low=bars["low"].where(~is_last, 102.0))


def red(result: dg.ExecuteInProcessResult) -> set[str]:
    return {one.check_name for one in result.get_asset_check_evaluations() if one.blocking and not one.passed}


@pytest.fixture
def launches(
    request: pytest.FixtureRequest, prepared: dict[str, Database], new_database: Callable[..., Database]
) -> Iterator[Launches]:
    start = getattr(request, "param", "decided")
    with mortal_account(new_database(like=prepared[start])) as account:
        vendor = Vendor(the_morning())
        platform = InProcessPlatform(
            *(account.database, SETTINGS, DECIDED_AT),
            broker=account.rehearsal.broker,
            bar_source=vendor,
            jobs=[CHECKS_JOB],
        )
        yield Launches(account, platform, vendor)


def refused(result: dg.ExecuteInProcessResult) -> str:
    metadata = result.asset_materializations_for_node("trading_session")[-1].metadata
    return str(metadata["refused_at_submission"].value)


# The gate -----------------------------------------------------------------------------------------


def by_hand(launches: Launches) -> dg.ExecuteInProcessResult:
    return launches.run("execute_trades_job")


def by_the_button(launches: Launches) -> dg.ExecuteInProcessResult:
    return launches.run("backfill_job", ORDERS)


def by_the_sensor(launches: Launches) -> dg.ExecuteInProcessResult:
    (asked,) = launches.platform.ask(execution_sensor)
    return launches.platform.run("execute_trades_job", date.fromisoformat(str(asked.partition_key)))


def again(launches: Launches) -> dg.ExecuteInProcessResult:
    by_hand(launches)
    return by_hand(launches)


@pytest.mark.parametrize("launch", [by_hand, by_the_button, by_the_sensor, again])
@pytest.mark.parametrize("is_checked", [True, False], ids=["closed", "pending"])
def test_approval_from_before_the_bad_bar_is_not_sent(
    launch: Callable[[Launches], dg.ExecuteInProcessResult], is_checked: bool, launches: Launches
) -> None:
    launches.spoil(is_checked)

    result = launch(launches)

    assert result.success
    assert launches.posted() == [SOUND]
    assert f"buy {FAULTY}" in refused(result)
    assert "RC-03 QUALITY_GATE_CLOSED" in refused(result)


@pytest.mark.parametrize("launches", ["wants"], indirect=True)
def test_tick_after_the_bad_bar_approves_nothing_for_the_symbol(launches: Launches) -> None:
    launches.spoil(is_checked=True)

    assert launches.run("hourly_tick_job", APPROVED_ORDERS).success
    by_the_sensor(launches)

    assert launches.posted() == [SOUND]


@pytest.mark.parametrize("launches", ["wants"], indirect=True)
@pytest.mark.parametrize(("deliver", "posted"), [(sound, [FAULTY, SOUND]), (spoiled, [])])
def test_whole_tick_that_gets_a_bad_bar_sends_nothing(
    deliver: Callable[[pd.DataFrame], pd.DataFrame], posted: list[str], launches: Launches
) -> None:
    """The vendor delivers it, the checks stop the tick, and the sensor finds nothing to send."""
    launches.vendor.delivered = deliver(the_morning())

    ticked = launches.run("hourly_tick_job")
    for asked in launches.platform.ask(execution_sensor):
        launches.platform.run("execute_trades_job", date.fromisoformat(str(asked.partition_key)))

    assert red(ticked) == (set() if posted else {CHECK})
    assert ticked.success == bool(posted)
    assert launches.posted() == posted


def test_replay_sends_nothing_whatever_the_gate(launches: Launches) -> None:
    assert launches.run("backfill_job", *TRADING).success
    assert launches.posted() == []


def test_approval_past_its_time_is_not_sent(launches: Launches) -> None:
    launches.account.at(DECIDED_AT + timedelta(minutes=3))
    launches.platform.clock.at = launches.account.clock.at

    assert launches.platform.ask(execution_sensor) == []
    assert "RC-02" in refused(by_hand(launches))
    assert launches.posted() == []


# Again --------------------------------------------------------------------------------------------


def test_job_that_runs_again_sends_nothing_again(launches: Launches) -> None:
    """By hand, by the sensor that has not heard of it, with Redis absent: the platform of these tests has none."""
    (asked,) = launches.platform.ask(execution_sensor)
    for _ in range(2):
        assert by_hand(launches).success
    assert launches.platform.run("execute_trades_job", date.fromisoformat(str(asked.partition_key))).success

    assert launches.posted() == [FAULTY, SOUND]
    launches.account.close("12:30")
    launches.account.close("13:30")
    launches.account.desk().take_fills(DAY)
    assert untruths(launches.account) == []


def test_step_that_dagster_tries_again_sends_each_order_once(launches: Launches) -> None:
    switchboard = launches.account.alpaca.switchboard
    switchboard.switch_on(RESET, method="GET", path="/v2/clock")
    switchboard.switch_on(RESET, is_after=True)

    result = by_hand(launches)

    assert [event for event in result.all_events if event.is_step_up_for_retry]
    assert by_hand(launches).success
    assert launches.posted() == [FAULTY, SOUND]


# The past -----------------------------------------------------------------------------------------


def test_backfill_of_two_years_sends_nothing(launches: Launches) -> None:
    first = DAY
    for _ in range(2 * 252):
        first = previous_session(first)

    assert launches.run("backfill_job", *TRADING, first=first).success

    assert launches.posted() == []
    assert rows(launches.account.database, "select count(*) from execution.orders") == [(0,)]
    assert rows(launches.account.database, "select count(*) from risk.approvals") == [(2,)]


def phase(*assets: dg.AssetKey) -> Any:
    return pytest.param(assets, id=assets[0].path[-1])


@pytest.mark.parametrize("assets", [phase(ORDERS), phase(APPROVED_ORDERS, ORDERS)])
def test_one_phase_of_a_session_that_is_over_is_refused(assets: tuple[dg.AssetKey, ...], launches: Launches) -> None:
    assert not launches.run("backfill_job", *assets, first=previous_session(DAY)).success
    assert launches.posted() == []
