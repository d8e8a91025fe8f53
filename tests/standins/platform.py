"""The graph's own assets, checks, jobs and sensors in this process, on one database, at a time of the test's choice.

Everything is taken from trading_assets.definitions, so that whatever is added there is here too. Only the resources are
the test's, the strategies are those of its settings, and the analytics, whose dbt build takes long, are left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import dagster as dg

from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.redis import NullEventBus
from trading_assets.adapters.sample import SampleSource
from trading_assets.definitions import defs
from trading_assets.defs.partitions import RANGE_END_TAG, RANGE_START_TAG
from trading_assets.defs.resources import RESOURCES
from trading_assets.defs.strategy.assets import strategy_assets
from trading_assets.defs.strategy.backtests import backtests
from trading_assets.settings import TradingSettings

LEFT_OUT = {"strategy", "analytics"}
# Thousands of debug lines that nobody reads.
QUIET = {"loggers": {"console": {"config": {"log_level": "ERROR"}}}}


@dataclass
class SetClock:
    at: datetime

    def now(self) -> datetime:
        return self.at


def definitions_of(settings: TradingSettings, resources: dict[str, Any], jobs: Sequence[Any] = ()) -> dg.Definitions:
    """The real definitions with these resources, this settings' strategies, and jobs of the test's own."""
    assets = [each for each in defs.assets or [] if not LEFT_OUT & {spec.group_name for spec in _specs(each)}]
    kept = {spec.key for each in assets for spec in _specs(each)}
    checks = [each for each in defs.asset_checks or [] if {key.asset_key for key in each.check_keys} <= kept]
    return dg.Definitions(
        assets=[*assets, *strategy_assets(settings), backtests],
        asset_checks=checks,
        jobs=[*(defs.jobs or []), *jobs],
        resources={**RESOURCES, **resources, "settings": settings},
        executor=dg.in_process_executor,
    )


def _specs(asset: Any) -> Sequence[dg.AssetSpec]:
    return [asset] if isinstance(asset, dg.AssetSpec) else list(asset.specs)


class InProcessPlatform:
    """A database, a clock, a vendor and a Dagster instance, and the jobs and sensors that work on them."""

    def __init__(
        self,
        database: Database,
        settings: TradingSettings,
        at: datetime,
        *,
        bar_source: Any = None,
        broker: Any = None,
        event_bus: Any = None,
        instance: dg.DagsterInstance | None = None,
        jobs: Sequence[Any] = (),
    ) -> None:
        self.database, self.settings, self.clock = database, settings, SetClock(at)
        self.instance = instance or dg.DagsterInstance.ephemeral()
        self.resources = {"database": database, "clock": self.clock, "bar_source": bar_source or SampleSource()}
        self.resources["event_bus"] = event_bus or NullEventBus()
        if broker is not None:
            self.resources["broker"] = broker
        self.definitions = definitions_of(settings, self.resources, jobs)

    def run(
        self,
        job: str,
        first: date,
        last: date | None = None,
        assets: Sequence[dg.AssetKey] | None = None,
        *,
        raise_on_error: bool = True,
    ) -> dg.ExecuteInProcessResult:
        """One run of a job over the sessions from first to last, of all its assets or of these."""
        return self.execute(job, session_tags(first, last or first), assets, raise_on_error=raise_on_error)

    def execute(
        self,
        job: str,
        tags: Mapping[str, str],
        assets: Sequence[dg.AssetKey] | None = None,
        *,
        raise_on_error: bool = True,
    ) -> dg.ExecuteInProcessResult:
        return self.definitions.resolve_job_def(job).execute_in_process(
            instance=self.instance,
            run_config=QUIET,
            tags=dict(tags),
            asset_selection=list(assets) if assets is not None else None,
            raise_on_error=raise_on_error,
        )

    def selected_by(self, job: str) -> list[dg.AssetKey]:
        """The assets that a run of the whole job materialises."""
        return sorted(self.definitions.resolve_job_def(job).asset_layer.executable_asset_keys)

    def ask(self, sensor: dg.SensorDefinition) -> list[dg.RunRequest]:
        """The runs that one tick of the sensor asks for."""
        return list(self.tick(sensor).run_requests or [])

    def tick(self, sensor: dg.SensorDefinition, cursor: str | None = None) -> Any:
        needed = {"settings": self.settings, **self.resources}
        resources = {name: needed[name] for name in sensor.required_resource_keys}
        with dg.build_sensor_context(
            self.instance, cursor=cursor, resources=resources, definitions=self.definitions
        ) as context:
            return sensor.evaluate_tick(context)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with self.database.transaction() as connection:
            return connection.execute(query).fetchall()


def session_tags(first: date, last: date) -> dict[str, str]:
    return {RANGE_START_TAG: f"{first}", RANGE_END_TAG: f"{last}"}
