"""However a run is started, an account at a broker gets no order while a gate is closed, none twice, none for the past.

test_gates_stop_orders.py goes through every check for the simulated account; which gate is read, and when, is the same
code here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import dagster as dg
import pytest
from standins.account_truth import untruths
from standins.dying_desks import DECIDED_AT, MortalAccount, mortal_account
from standins.http_vendor import RESET
from standins.platform import InProcessPlatform
from standins.rehearsed_account import DAY, SETTINGS, rows

from trading_assets.adapters.postgres.database import Database
from trading_assets.defs.execution.assets import APPROVED_ORDERS, FILLS, ORDERS, POSITIONS
from trading_assets.defs.execution.sensors import execution_sensor
from trading_assets.domain.market.sessions import previous_session

FAULTY, SOUND = "AAA", "BBB"
TRADING = [APPROVED_ORDERS, ORDERS, FILLS, POSITIONS]


@dataclass
class Launches:
    """The graph over an account at a local Alpaca."""

    account: MortalAccount
    platform: InProcessPlatform

    def run(self, job: str, *assets: dg.AssetKey, first: date = DAY) -> dg.ExecuteInProcessResult:
        return self.platform.run(job, first, DAY, assets or None, raise_on_error=False)

    def posted(self) -> list[str]:
        return sorted(str(asked.body["symbol"]) for asked in self.account.alpaca.posts())

    def set_gate(self, state: str) -> None:
        with self.account.database.transaction() as connection:
            connection.execute(
                "update ops.quality_gates set state = %s, failing_checks = %s where symbol = %s",
                (state, ["bars_have_high_above_low"] if state == "closed" else [], FAULTY),
            )


@pytest.fixture
def launches(
    request: pytest.FixtureRequest, prepared: dict[str, Database], new_database: Callable[..., Database]
) -> Iterator[Launches]:
    start = getattr(request, "param", "decided")
    with mortal_account(new_database(like=prepared[start])) as account:
        platform = InProcessPlatform(account.database, SETTINGS, DECIDED_AT, broker=account.rehearsal.broker)
        yield Launches(account, platform)


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
@pytest.mark.parametrize("state", ["closed", "pending"])
def test_approval_from_before_the_gate_closed_is_not_sent(
    launch: Callable[[Launches], dg.ExecuteInProcessResult], state: str, launches: Launches
) -> None:
    launches.set_gate(state)

    result = launch(launches)

    assert result.success
    assert launches.posted() == [SOUND]
    assert f"buy {FAULTY}" in refused(result)
    assert "RC-03 QUALITY_GATE_CLOSED" in refused(result)


@pytest.mark.parametrize("launches", ["wants"], indirect=True)
def test_tick_while_the_gate_is_closed_approves_nothing_for_the_symbol(launches: Launches) -> None:
    launches.set_gate("closed")

    assert launches.run("hourly_tick_job", APPROVED_ORDERS).success
    by_the_sensor(launches)

    assert launches.posted() == [SOUND]


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
