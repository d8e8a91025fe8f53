"""What starts the order jobs of an account at a broker, and who is seen to look after it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import dagster as dg
import pytest
from standins.broker_rehearsals import simulated
from standins.rehearsed_account import ACCOUNT_ID, DAY, RehearsedAccount

from trading_assets.adapters.postgres.broker_orders import seen_at
from trading_assets.adapters.postgres.database import Database
from trading_assets.defs.execution.sensors import execution_sensor, order_sensor
from trading_assets.defs.risk.jobs import MEASURE_EVERY, risk_sensor
from trading_assets.domain.market.sessions import session


@pytest.fixture
def decided(database: Database) -> Iterator[RehearsedAccount]:
    with simulated() as rehearsal:
        account = RehearsedAccount(database, rehearsal)
        account.open()
        account.close("11:30", {"AAA": 0.2})
        account.desk().decide(DAY)
        yield account


def keys(sensor: dg.SensorDefinition, account: RehearsedAccount) -> list[str]:
    resources = {"database": account.database, "clock": account.clock, "settings": account.settings}
    with dg.build_sensor_context(resources=resources) as context:
        answer = sensor(context)
    return [str(answer.run_key)] if isinstance(answer, dg.RunRequest) else []


def test_approval_that_could_not_be_sent_is_worth_another_run_until_it_expires(decided: RehearsedAccount) -> None:
    first = keys(execution_sensor, decided)
    decided.clock.at += timedelta(seconds=21)
    later = keys(execution_sensor, decided)
    decided.clock.at += timedelta(minutes=5)

    assert (len(first), len(later)) == (1, 1)
    assert first != later
    assert keys(execution_sensor, decided) == []


def test_open_order_is_followed_every_minute_and_no_longer_than_it_lives(decided: RehearsedAccount) -> None:
    decided.desk().submit(DAY)
    asked = keys(order_sensor, decided)
    decided.clock.at += timedelta(minutes=1)
    again = keys(order_sensor, decided)
    for begins in ("12:30", "13:30"):
        decided.close(begins)
    decided.desk().take_fills(DAY)

    assert (len(asked), len(again), asked != again) == (1, 1, True)
    assert keys(order_sensor, decided) == []


def test_watch_over_the_risk_is_seen_while_the_measurements_keep_up(decided: RehearsedAccount) -> None:
    def seen() -> object:
        with decided.database.transaction() as connection:
            return seen_at(connection, ACCOUNT_ID, "risk")

    decided.clock.at = session(DAY).opens_at + MEASURE_EVERY
    keys(risk_sensor, decided)
    before = seen()
    decided.clock.at = session(DAY).closes_at - timedelta(minutes=1)
    keys(risk_sensor, decided)
    assert seen() == before
    decided.clock.at = session(DAY).closes_at + timedelta(minutes=1)
    keys(risk_sensor, decided)
    assert seen() == decided.clock.at
