"""The graph led through sessions bar by bar, as schedules, sensors and the daemon would, and its ways of going back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import dagster as dg
from standins.platform import InProcessPlatform

from trading_assets.defs.execution.assets import APPROVED_ORDERS, FILLS, ORDERS, POSITIONS
from trading_assets.defs.execution.sensors import execution_sensor, order_sensor
from trading_assets.domain.market.sessions import bar_bounds, session, sessions_between
from trading_assets.domain.values import Timeframe

AFTERWARDS = datetime(2022, 6, 20, tzinfo=UTC)
DELAY = timedelta(seconds=5)
TRADING = (APPROVED_ORDERS, ORDERS, FILLS, POSITIONS)


class LedPlatform(InProcessPlatform):
    """Whatever it is asked to do, it first sets the clock."""

    def store_data(self, first: date, last: date) -> None:
        """Everything up to the targets, in one range."""
        self.clock.at = AFTERWARDS
        self.run("refresh_data_job", first, last)

    def strategy_assets(self) -> list[dg.AssetKey]:
        """Indicators, signals and targets."""
        return [key for key in self.selected_by("hourly_tick_job") if key.path[0] == "strategy"]

    def react(self) -> list[str]:
        """Run what the sensors ask for until they ask for nothing; the jobs that ran."""
        ran = []
        while requests := [
            (job, request)
            for sensor, job in ((order_sensor, "manage_orders_job"), (execution_sensor, "execute_trades_job"))
            for request in self.ask(sensor)
        ]:
            job, request = requests[0]
            self.run(job, date.fromisoformat(request.partition_key))
            ran.append(job)
        return ran

    def live(
        self,
        first: date,
        last: date,
        tick: Sequence[dg.AssetKey] | None = None,
        timeframe: Timeframe = Timeframe.HOUR,
    ) -> set[str]:
        """Every bar close of the sessions, the tick's run first in one and the sensors first in the next.

        `tick` is what a tick materialises, by default all of its job; which jobs the sensors started is returned.
        """
        ran = set()
        number = 0
        for day in sessions_between(first, last):
            for bar in bar_bounds(day, timeframe):
                self.clock.at = bar.closes_at + DELAY
                if number % 2:
                    ran |= set(self.react())
                self.run("hourly_tick_job", day, assets=tick)
                ran |= set(self.react())
                number += 1
            self.clock.at = session(day).closes_at + timedelta(minutes=15)
            self.run("end_of_day_job", day, assets=[FILLS, POSITIONS])
        return ran

    def replay(self, first: date, last: date) -> None:
        """The trading of past sessions, in one range."""
        self.clock.at = AFTERWARDS
        self.run("backfill_job", first, last, TRADING)
