"""An account led through its sessions hour by hour, by jobs and sensors, has the ledger of a replay of them."""

from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from functools import cache

import dagster as dg
import pytest
from standins.led_platform import AFTERWARDS, DELAY, LedPlatform

from trading_assets.adapters.postgres import ledger
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.ledger_hash import ledger_hash
from trading_assets.defs.execution.assets import APPROVED_ORDERS, FILLS, POSITIONS
from trading_assets.defs.execution.sensors import execution_sensor
from trading_assets.domain.market.sessions import bar_bounds, session, sessions_between
from trading_assets.domain.values import Timeframe
from trading_assets.settings import TradingSettings

SETTINGS = TradingSettings.model_validate(
    {
        "source": "sample",
        "universe": ["MSFT"],
        "timeframes": ["1h"],
        "strategies": {
            "sma_crossover": {"timeframe": "1h", "capital_weight": 0.5, "parameters": {"fast": 2, "slow": 4}},
            "rsi_reversion": {
                "timeframe": "1h",
                "capital_weight": 0.4,
                "parameters": {"period": 3, "entry": 40, "exit": 55, "max_hold": 5},
            },
        },
        "risk": {"max_order_notional": 0.3, "max_position": 0.6},
        # Some 80 shares an hour: orders fill in parts, wait over the night, and expire.
        "broker": {"volume_limit": 0.00002},
        "clock": "replay",
    }
)
WARM_UP, FIRST = date(2022, 4, 22), date(2022, 4, 26)
# Three sessions with a weekend between the last two.
THURSDAY, FRIDAY, MONDAY = date(2022, 4, 28), date(2022, 4, 29), date(2022, 5, 2)


class Platform(LedPlatform):
    """With one decision of the first session."""

    def decide_at(self, at: datetime) -> None:
        self.clock.at = at + DELAY
        self.run("hourly_tick_job", FIRST, assets=[APPROVED_ORDERS])


@pytest.fixture(scope="module")
def stored(new_module_database: Callable[..., Database]) -> Callable[[date], Database]:
    """Databases that hold everything up to the targets, from WARM_UP to the session asked for. Only copies are used."""

    @cache
    def until(last: date) -> Database:
        with dg.DagsterInstance.ephemeral() as instance:
            prepared = Platform(new_module_database(), SETTINGS, AFTERWARDS, instance=instance)
            prepared.store_data(WARM_UP, last)
        return prepared.database

    return until


@pytest.fixture
def new_platform(
    stored: Callable[[date], Database], new_database: Callable[..., Database]
) -> Iterator[Callable[[date], Platform]]:
    """Makes platforms of the test's own that hold everything up to the targets, until the session asked for."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield lambda last: Platform(new_database(stored(last)), SETTINGS, AFTERWARDS, instance=instance)


def counts(database: Database) -> dict[str, int]:
    queries = {
        "fills": "select count(*) from execution.fills",
        "filled in parts": "select count(*) from execution.order_events where status = 'PARTIALLY_FILLED'",
        "expired": "select count(*) from execution.order_events where status = 'EXPIRED'",
        "reduced": "select count(*) from risk.verdicts where outcome = 'reduced'",
        "filled on a later day": "select count(*) from execution.fills join execution.orders using (client_order_id) "
        "where fills.session_date > orders.session_date",
    }
    with database.transaction() as connection:
        return {name: connection.execute(query).fetchone()[0] for name, query in queries.items()}


@pytest.mark.timeout(600)
def test_hours_sessions_and_one_range_give_the_same_ledger(new_platform):
    range_run = new_platform(MONDAY)
    range_run.replay(THURSDAY, MONDAY)
    seen = counts(range_run.database)
    assert all(seen.values()), seen

    by_session = new_platform(MONDAY)
    for day in sessions_between(THURSDAY, MONDAY):
        by_session.replay(day, day)

    # Whole ticks, from the vendor's bars on, in one session; in the others what is decided on stored targets.
    live = new_platform(date(2022, 4, 27))
    ran = live.live(THURSDAY, THURSDAY)
    live.store_data(FRIDAY, MONDAY)
    ran |= live.live(FRIDAY, MONDAY, [APPROVED_ORDERS])
    assert ran == {"execute_trades_job", "manage_orders_job"}

    expected = ledger_hash(range_run.database)
    assert ledger_hash(by_session.database) == expected
    assert ledger_hash(live.database) == expected
    live.replay(THURSDAY, MONDAY)
    assert ledger_hash(live.database) == expected


@pytest.mark.parametrize("defect", ["orders are forgotten", "the session's first equity is lost"])
def test_defect_in_loading_the_account_shows_in_the_hash(new_platform, monkeypatch, defect):
    expected, live = new_platform(FIRST), new_platform(FIRST)
    expected.replay(FIRST, FIRST)
    if defect == "orders are forgotten":
        monkeypatch.setattr(ledger, "_working_orders", lambda *_, **__: {})
    else:
        load = ledger.load_account

        def loaded(*arguments):
            account = load(*arguments)
            if account is not None:
                account.start_equity_usd = account.book.equity
            return account

        monkeypatch.setattr(ledger, "load_account", loaded)
    live.live(FIRST, FIRST, tick=[APPROVED_ORDERS])
    assert ledger_hash(live.database) != ledger_hash(expected.database)


def test_second_run_of_a_tick_changes_nothing(new_platform):
    platform = new_platform(FIRST)
    for bar in bar_bounds(FIRST, Timeframe.HOUR):
        platform.decide_at(bar.closes_at)
        platform.react()
        before = ledger_hash(platform.database)
        platform.decide_at(bar.closes_at)
        assert platform.react() == []
        platform.run("execute_trades_job", FIRST)
        platform.run("manage_orders_job", FIRST)
        assert ledger_hash(platform.database) == before
    seen = counts(platform.database)
    assert seen["fills"]
    assert seen["reduced"]


def decide_until_approved(platform: Platform) -> datetime:
    """The first bar close of FIRST whose decision gives an approval that nobody has used yet."""
    for bar in bar_bounds(FIRST, Timeframe.HOUR):
        platform.decide_at(bar.closes_at)
        if platform.ask(execution_sensor):
            return bar.closes_at
    raise AssertionError(f"nothing is approved in session {FIRST}")


def orders(database: Database) -> int:
    with database.transaction() as connection:
        return connection.execute("select count(*) from execution.orders").fetchone()[0]


def test_approval_older_than_its_time_to_live_is_never_sent(new_platform):
    platform = new_platform(FIRST)
    decided_at = decide_until_approved(platform)
    platform.clock.at += timedelta(seconds=SETTINGS.risk.approval_ttl_s + 1)
    assert platform.ask(execution_sensor) == []
    sent = platform.run("execute_trades_job", FIRST)
    (result,) = sent.asset_materializations_for_node("trading_session")
    assert "RC-02 APPROVAL_NOT_VALID" in result.metadata["refused_at_submission"].value
    platform.decide_at(decided_at + timedelta(minutes=5))
    assert platform.ask(execution_sensor) == []
    assert orders(platform.database) == 0


def test_sensor_asks_for_the_same_approvals_under_the_same_key(new_platform):
    platform = new_platform(FIRST)
    decide_until_approved(platform)
    first, second = platform.ask(execution_sensor), platform.ask(execution_sensor)
    assert [request.run_key for request in first] == [request.run_key for request in second]
    platform.react()
    sent = orders(platform.database)
    platform.run("execute_trades_job", FIRST)
    assert platform.ask(execution_sensor) == []
    assert orders(platform.database) == sent > 0


def test_end_of_day_before_the_last_bar_is_stored_is_refused(new_platform):
    platform = new_platform(date(2022, 4, 25))
    platform.clock.at = bar_bounds(FIRST, Timeframe.HOUR)[-2].closes_at + DELAY
    platform.run("hourly_tick_job", FIRST)
    platform.clock.at = session(FIRST).closes_at + timedelta(minutes=15)
    with pytest.raises(dg.Failure, match="the bar that closes it is not stored: run hourly_tick_job"):
        platform.run("end_of_day_job", FIRST, assets=[FILLS, POSITIONS])
