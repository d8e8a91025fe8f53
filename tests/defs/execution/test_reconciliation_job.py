"""The asset that compares the current session, and only that, and the sensor that says when."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import dagster as dg
import pytest
from standins.broker_rehearsals import ACCOUNT, MONDAY, TUESDAY, new_york, simulated
from standins.compared_account import ACCOUNT_ID, ComparedAccount, StandingClock

from trading_assets.adapters.errors import AuthFailed, Unreachable
from trading_assets.adapters.postgres.broker_hints import store_opening
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.reconciliations import Trigger
from trading_assets.defs.execution.reconciliation import OP, RECONCILIATION, reconciliation, reconciliation_sensor
from trading_assets.settings import TradingSettings

COMMON = {
    "source": "sample",
    "universe": ["AAA"],
    "timeframes": ["1h"],
    "strategies": {"buy_and_hold": {"capital_weight": 1.0, "timeframe": "1h"}},
}
AT_ALPACA = TradingSettings.model_validate(
    COMMON | {"broker": {"kind": "alpaca", "environment": "paper", "account": ACCOUNT}}
)
SIMULATED = TradingSettings.model_validate(COMMON)
SECOND = timedelta(seconds=1)


@pytest.fixture
def account(database: Database) -> Iterator[ComparedAccount]:
    with simulated() as rehearsal:
        yield ComparedAccount(database, rehearsal)


def materialize(
    account: ComparedAccount, settings: TradingSettings = AT_ALPACA, day: Any = MONDAY, **others: Any
) -> dg.ExecuteInProcessResult:
    resources = {
        "database": account.database,
        "settings": settings,
        "clock": account.clock,
        "broker": account.rehearsal.broker,
    }
    return dg.materialize(
        [reconciliation],
        partition_key=day.isoformat(),
        resources=resources | others,
        run_config={"ops": {OP: {"config": {"trigger": "interval"}}}},
        raise_on_error=False,
    )


def compared(account: ComparedAccount) -> list[tuple[Any, ...]]:
    return account.rows("select account_id, trigger, is_clean from execution.reconciliations")


def test_first_comparison_opens_the_account_and_finds_it_as_it_was_opened(account: ComparedAccount) -> None:
    result = materialize(account)
    assert result.success
    assert compared(account) == [(ACCOUNT_ID, "interval", True)]
    (materialization,) = result.asset_materializations_for_node(OP)
    assert materialization.metadata["account"].value == ACCOUNT_ID
    assert materialization.metadata["is_clean"].value is True
    assert materialization.metadata["dagster/row_count"].value == 1


def test_session_that_is_over_and_a_simulated_account_are_not_compared(account: ComparedAccount) -> None:
    account.at(new_york("12:00", TUESDAY))
    assert materialize(account).success
    assert materialize(account, SIMULATED, TUESDAY, broker=object()).success
    assert compared(account) == []


@pytest.mark.parametrize(("error", "is_tried_again"), [(Unreachable("gone"), True), (AuthFailed("another"), False)])
def test_broker_that_does_not_answer_fails_the_run_and_records_nothing(
    account: ComparedAccount, error: Exception, is_tried_again: bool
) -> None:
    class Silent:
        def account(self) -> None:
            raise error

    result = materialize(account, broker=Silent())
    assert not result.success
    retries = [event for event in result.all_events if event.event_type_value == "STEP_UP_FOR_RETRY"]
    assert bool(retries) == is_tried_again
    assert compared(account) == []


def request(
    account: ComparedAccount, now: datetime, settings: TradingSettings = AT_ALPACA
) -> dg.RunRequest | dg.SkipReason:
    resources = {"database": account.database, "settings": settings, "clock": StandingClock(now)}
    asked = reconciliation_sensor(dg.build_sensor_context(resources=resources))
    assert isinstance(asked, dg.RunRequest | dg.SkipReason)
    return asked


def trigger(account: ComparedAccount, now: datetime) -> str | None:
    asked = request(account, now)
    return asked.run_config["ops"][OP]["config"]["trigger"] if isinstance(asked, dg.RunRequest) else None


def test_account_is_compared_at_the_start_by_the_minute_with_open_orders_and_else_every_five(
    account: ComparedAccount,
) -> None:
    assert trigger(account, account.clock.now()) == "start"
    materialize(account)
    now = account.clock.now()
    assert trigger(account, now + 299 * SECOND) is None
    assert trigger(account, now + 300 * SECOND) == "interval"
    account.buy("AAA", 5, limit=50)
    assert trigger(account, now + 59 * SECOND) is None
    assert trigger(account, now + 60 * SECOND) == "open_orders"


def test_account_is_compared_after_its_stream_was_opened_anew(account: ComparedAccount) -> None:
    materialize(account)
    now = account.clock.now()
    with account.database.transaction() as connection:
        store_opening(connection, ACCOUNT_ID, now)
    assert trigger(account, now + SECOND) is None
    with account.database.transaction() as connection:
        store_opening(connection, ACCOUNT_ID, now + SECOND)
    assert trigger(account, now + SECOND) == "stream"


def test_account_is_compared_a_quarter_of_an_hour_after_the_close(account: ComparedAccount) -> None:
    account.at(new_york("16:12"))
    materialize(account)
    assert trigger(account, new_york("16:14")) is None
    assert trigger(account, new_york("16:15")) == "after_close"
    account.at(new_york("16:15"))
    materialize(account)
    assert trigger(account, new_york("16:16")) is None


def test_simulated_account_is_left_alone_and_a_failed_run_is_tried_a_minute_later(account: ComparedAccount) -> None:
    now = account.clock.now()
    assert isinstance(request(account, now, SIMULATED), dg.SkipReason)
    keys = [request(account, now + seconds * SECOND) for seconds in (0, 5, 60)]
    assert [isinstance(one, dg.RunRequest) for one in keys] == [True] * 3
    first, same, later = (one.run_key for one in keys if isinstance(one, dg.RunRequest))
    assert first == same != later


def test_triggers_of_the_graph_are_those_of_the_record(account: ComparedAccount) -> None:
    materialize(account)
    for one in Trigger:
        replace(account.reconciler()).compare(one)
    assert {row[1] for row in compared(account)} == {str(one) for one in Trigger}
    assert RECONCILIATION.to_user_string() == "execution/reconciliation"
