"""The hourly tick beside an empty Dagster run of the same shape: what is ours, and what is Dagster's bookkeeping.

Bars of MSFT by the hour from the bundled history, a rehearsal's clock, and a database that holds the sessions before.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING

from bench.measure import Result, fresh_platform, median, seconds_of
from trading_assets.domain.market.sessions import bar_bounds, previous_session
from trading_assets.domain.values import Timeframe

if TYPE_CHECKING:
    import dagster as dg

FIRST, SESSION = date(2022, 6, 1), date(2022, 6, 9)
MINUTE = timedelta(minutes=1)


def run(rounds: int = 5, first: date = FIRST) -> list[Result]:
    """One result: `rounds` ticks at the bar closes of one session, after a backfill of the sessions from `first` on."""
    with fresh_platform(universe=["MSFT"], timeframes=["1h"], clock="replay") as running:
        import dagster as dg

        from trading_assets.adapters.clock import set_replay_clock
        from trading_assets.adapters.postgres.database import Database
        from trading_assets.definitions import defs
        from trading_assets.range_run import QUIET_CONSOLE, run_sessions

        database = Database(running.required_database_url())
        closes = [bar.closes_at for bar in bar_bounds(SESSION, Timeframe.HOUR)]
        set_replay_clock(database, closes[0] - timedelta(hours=2))
        outcome = run_sessions(defs, first, previous_session(SESSION), lambda _: None)
        if not outcome.is_success:
            raise RuntimeError(f"The backfill before the ticks failed: {outcome.problems}")

        tick = defs.resolve_job_def("hourly_tick_job")
        empty = _empty_job_like(tick)
        ours, theirs = [], []
        with dg.DagsterInstance.get() as instance:
            instance.optimize_for_webserver(statement_timeout=60_000, pool_recycle=3600, max_overflow=20)

            def run_once(job: dg.JobDefinition, key: str) -> None:
                job.execute_in_process(instance=instance, run_config=QUIET_CONSOLE, partition_key=key)

            # The first round of each pays for imports; it is not counted.
            for number, closes_at in enumerate(closes[: rounds + 1]):
                set_replay_clock(database, closes_at + MINUTE)
                pair = [seconds_of(lambda job=job: run_once(job, SESSION.isoformat())) for job in (tick, empty)]
                if number:
                    ours.append(pair[0])
                    theirs.append(pair[1])
    return [Result("hourly tick", median(ours), "empty run of the same shape", median(theirs), len(ours))]


def _empty_job_like(job: dg.JobDefinition) -> dg.JobDefinition:
    """As many assets in a chain, and as many checks on the first of them in one step, with nothing in their bodies."""
    import dagster as dg

    from trading_assets.defs.partitions import SESSIONS

    assets: list[dg.AssetsDefinition] = []
    for number in range(len(job.asset_layer.executable_asset_keys)):
        assets.append(_empty_asset(f"empty_{number}", assets[-1:], SESSIONS))
    specs = [
        dg.AssetCheckSpec(f"check_{number}", asset=assets[0].key)
        for number in range(len(job.asset_layer.asset_graph.asset_check_keys))
    ]

    @dg.multi_asset_check(specs=specs)
    def checks():
        for spec in specs:
            yield dg.AssetCheckResult(asset_key=spec.asset_key, check_name=spec.name, passed=True)

    empty = dg.Definitions(
        assets=assets,
        asset_checks=[checks],
        jobs=[dg.define_asset_job("empty_job", selection=dg.AssetSelection.all())],
        executor=dg.in_process_executor,
    )
    return empty.resolve_job_def("empty_job")


def _empty_asset(
    name: str, upstream: Sequence[dg.AssetsDefinition], partitions: dg.PartitionsDefinition
) -> dg.AssetsDefinition:
    import dagster as dg

    @dg.asset(name=name, deps=upstream, partitions_def=partitions)
    def empty() -> None:
        """Does nothing."""

    return empty
