"""The proofs of strategies as checks of their signals, in a job of their own: a tick must not wait for them."""

from collections.abc import Iterator, Sequence

import dagster as dg

from trading_assets.adapters.plugins import load_strategies
from trading_assets.adapters.ports import Clock
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.proofs import record_proof, stored_history
from trading_assets.defs.strategy.assets import GROUP
from trading_assets.domain.market.universe import Membership
from trading_assets.domain.strategy.proofs import LOOK_AHEAD, WARM_UP, Proof, prove_no_look_ahead
from trading_assets.domain.strategy.strategy import ConfiguredStrategy
from trading_assets.domain.strategy.warm_up import prove_warm_up
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

# A strategy that hangs must not keep the next run waiting for ever.
MAX_RUNTIME = {"dagster/max_runtime": "3600"}

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
    return [proofs_of(one, settings.members) for one in strategies]


def proofs_of(configured: ConfiguredStrategy, members: Sequence[Membership]) -> dg.AssetChecksDefinition:
    """Both proofs of one strategy: one operation, so that one that fails leaves the others proven."""
    asset = dg.AssetKey(["strategy", f"signals_{configured.name}"])

    @dg.multi_asset_check(
        name=f"prove_{configured.name}",
        specs=[
            dg.AssetCheckSpec(name, asset=asset, description=description) for name, description in DESCRIPTIONS.items()
        ],
    )
    def check(
        context: dg.AssetCheckExecutionContext, database: dg.ResourceParam[Database], clock: dg.ResourceParam[Clock]
    ) -> Iterator[dg.AssetCheckResult]:
        history = stored_history(database, configured, members, clock.now())
        for prove in (prove_no_look_ahead, prove_warm_up):
            proof = prove(configured, history)
            context.log.info(f"{configured.name} {configured.version}: {proof.name}: {proof.finding}")
            with database.transaction() as connection:
                record_proof(connection, configured, proof)
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
