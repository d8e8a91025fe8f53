"""The proofs of strategies as checks of their signals, in a job of their own: a tick must not wait for them.

A sensor has every new version and every changed source proven by itself.
"""

from collections.abc import Iterator, Sequence

import dagster as dg

from trading_assets.adapters.isolation import Limits
from trading_assets.adapters.plugins import load_strategies, source_sha256
from trading_assets.adapters.ports import Clock
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.proofs import has_closes, newest_proofs, record_proof, stored_history
from trading_assets.adapters.proving import lead_proofs, proof_limits
from trading_assets.defs.strategy.assets import GROUP
from trading_assets.domain.market.universe import Membership
from trading_assets.domain.strategy.proofs import LOOK_AHEAD, PROOFS, WARM_UP, Proof
from trading_assets.domain.strategy.strategy import ConfiguredStrategy
from trading_assets.domain.strategy.warm_up import closes_needed
from trading_assets.settings import TradingSettings

DESCRIPTIONS = {
    LOOK_AHEAD: (
        "At 200 random closes all that became known later is removed, made noise and made NaN: every signal and reason "
        "up to then stays the same bytes. A strategy that fails cannot be enabled for paper or live."
    ),
    WARM_UP: (
        "With the bars that the strategy declares to need before a decision, twice and four times as many change "
        "nothing. A strategy that fails cannot be enabled for paper or live."
    ),
}

# Each proof has a limit of its own; this one is for a run whose process is gone.
MAX_RUNTIME = {"dagster/max_runtime": "86400"}
# Proofs take a processor for minutes: never two runs of them at once.
POOL = "proofs"
LOOK_S = 60

prove_strategies_job = dg.define_asset_job(
    "prove_strategies_job",
    selection=dg.AssetSelection.all_asset_checks() & dg.AssetSelection.groups(GROUP),
    tags=MAX_RUNTIME,
    description="Proves over the stored history that no strategy looks ahead and that every warm-up is long enough.",
)


def strategy_proofs(
    settings: TradingSettings, configured: Sequence[ConfiguredStrategy] | None = None
) -> list[dg.AssetChecksDefinition]:
    """The checks of each strategy's signals. `configured` are by default those of trading.yaml. Raises PluginError."""
    strategies = load_strategies(settings) if configured is None else configured
    return [proofs_of(one, settings.members, proof_limits(settings)) for one in strategies]


def proofs_of(
    configured: ConfiguredStrategy, members: Sequence[Membership], limits: Limits
) -> dg.AssetChecksDefinition:
    """Both proofs of one strategy, each in a process of its own within `limits`: a failure leaves the others proven."""
    asset = _signals(configured)
    source = source_sha256(type(configured.strategy))

    @dg.multi_asset_check(
        name=f"prove_{configured.name}",
        specs=[
            dg.AssetCheckSpec(name, asset=asset, description=description) for name, description in DESCRIPTIONS.items()
        ],
        pool=POOL,
    )
    def check(
        context: dg.AssetCheckExecutionContext, database: dg.ResourceParam[Database], clock: dg.ResourceParam[Clock]
    ) -> Iterator[dg.AssetCheckResult]:
        history = stored_history(database, configured, members, clock.now())
        for proof in lead_proofs(configured, history, limits):
            context.log.info(f"{configured.name} {configured.version}: {proof.name}: {proof.finding}")
            with database.transaction() as connection:
                record_proof(connection, configured, source, proof)
            yield _result(asset, configured, proof)

    return check


def _result(asset: dg.AssetKey, configured: ConfiguredStrategy, proof: Proof) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=proof.name,
        passed=proof.passed,
        severity=dg.AssetCheckSeverity.ERROR,
        description=proof.finding,
        metadata={"strategy_version": configured.version, "evidence": dg.MetadataValue.json(proof.evidence())},
    )


@dg.sensor(
    job=prove_strategies_job,
    minimum_interval_seconds=LOOK_S,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="A strategy whose present version and source was never proven is, once enough bars are stored.",
)
def prove_strategies_sensor(
    database: dg.ResourceParam[Database], settings: dg.ResourceParam[TradingSettings]
) -> dg.SensorResult:
    requests, waiting = [], []
    for configured in load_strategies(settings):
        name, version, source = configured.name, configured.version, source_sha256(type(configured.strategy))
        with database.transaction() as connection:
            if len(newest_proofs(connection, name, version, source)) == len(PROOFS):
                continue
        if not has_closes(database, settings.universe, configured.timeframe, closes_needed(configured)):
            waiting.append(f"{name} (needs {closes_needed(configured)} closes of {configured.timeframe} bars)")
            continue
        checks = [dg.AssetCheckKey(_signals(configured), proof) for proof in PROOFS]
        requests.append(dg.RunRequest(f"{name} {version} {source}", asset_check_keys=checks))
    if requests:
        return dg.SensorResult(requests)
    told = f"Too few bars are stored to prove {', '.join(waiting)}." if waiting else "Every strategy has been proven."
    return dg.SensorResult(skip_reason=told)


def _signals(configured: ConfiguredStrategy) -> dg.AssetKey:
    return dg.AssetKey(["strategy", f"signals_{configured.name}"])
