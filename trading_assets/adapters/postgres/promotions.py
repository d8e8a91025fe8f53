"""The schema `strategy`: who may trade on paper and live. Promotions, each with the evidence that it rests on, and what
enabling a strategy asks for. Only ever added to."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from trading_assets.adapters.errors import AdapterError
from trading_assets.adapters.plugins import source_sha256
from trading_assets.adapters.postgres.proofs import missing_proofs, newest_proofs
from trading_assets.adapters.postgres.records import select
from trading_assets.adapters.postgres.strategy_states import set_status
from trading_assets.domain.risk.verdicts import Intent
from trading_assets.domain.strategy.promotions import Promotion, Stage, may_trade, stage_at
from trading_assets.domain.strategy.states import StateEvent, StrategyStatus
from trading_assets.domain.strategy.strategy import ConfiguredStrategy


class PromotionRefused(AdapterError):
    """A strategy lacks what the stage asks for; the message names it and the command that gives it."""


def enable(
    connection: psycopg.Connection,
    configured: ConfiguredStrategy,
    broker: str,
    by: str,
    why: str,
    at: datetime,
) -> tuple[StateEvent, str | None]:
    """Record that a person lets the strategy open positions again, from `at` (UTC) on; and what to warn that person of.

    `broker` is the kind of the configured broker. On paper or live exactly this version and source must have passed
    every proof: raises PromotionRefused. A simulated account loses nothing: there it is the warning.
    """
    lacking = _lacks_proofs(connection, configured, source_sha256(type(configured.strategy)))
    if lacking and (stage := _stage_of_trading(connection, broker)) is not Stage.RESEARCH:
        raise PromotionRefused(f"Strategy {configured.name} cannot be enabled on {stage}: {lacking}")
    event = set_status(connection, configured.name, StrategyStatus.ENABLED, by, why, at)
    return event, f"Strategy {configured.name}: {lacking}" if lacking else None


def order_refusal(
    connection: psycopg.Connection, broker: str, strategies: Iterable[ConfiguredStrategy], intent: Intent
) -> str | None:
    """Why the order of an approved intent may not be sent to an account at `broker`; None when it may.

    On paper and live the version that decided must be the one of the present configuration, made from the source that
    was promoted. `strategies` are those of the configuration.
    """
    stage = stage_at(broker)
    if stage is Stage.RESEARCH:
        return None
    name, version = intent.strategy, intent.strategy_version
    chosen = next((one for one in strategies if (one.name, one.version) == (name, version)), None)
    if chosen is None:
        return f"strategy {name} ({version}), which decided it, is not what trading.yaml configures now"
    reason = may_trade(stage, promotions_of(connection, [name]), version, source_sha256(type(chosen.strategy)))
    return f"strategy {name}: {reason.removesuffix('.')}" if reason else None


def promotions_of(connection: psycopg.Connection, strategies: Collection[str]) -> list[Promotion]:
    """Every promotion of these strategies, by strategy and in order of time."""
    return select(
        connection,
        Promotion,
        "select strategy, strategy_version, source_sha256, stage, evidence, promoted_by, why, promoted_at "
        'from strategy.promotions where strategy = any(%(strategies)s) order by strategy collate "C", promoted_at',
        strategies=list(strategies),
    )


def promote(
    connection: psycopg.Connection,
    configured: ConfiguredStrategy,
    stage: Stage,
    by: str,
    why: str,
) -> Promotion:
    """Record that a person lets this version of the strategy, made from this source, trade on paper or live.

    Raises PromotionRefused without a person or a reason, when this version has not passed every proof or has no
    stored backtest, and for live when exactly this version and source was not promoted to paper before.
    """
    name, version, source = configured.name, configured.version, source_sha256(type(configured.strategy))
    if stage is Stage.RESEARCH:
        raise PromotionRefused(f"Strategy {name}: research needs no promotion; promote to paper or live.")
    if not by.strip() or not why.strip():
        raise PromotionRefused("A strategy is promoted by a person with a reason: say who (by) and why.")
    evidence = {
        "proofs": _passed_proofs(connection, configured, source),
        "backtests": _backtests(connection, name, version, source),
    }
    if stage is Stage.LIVE:
        earlier = promotions_of(connection, [name])
        if reason := may_trade(Stage.PAPER, earlier, version, source):
            raise PromotionRefused(
                f"Strategy {name} cannot be promoted to live. {reason} "
                f"Run `trading strategy promote {name} --to paper` first."
            )
    connection.execute(
        "insert into strategy.promotions "
        "(strategy, strategy_version, source_sha256, stage, evidence, promoted_by, why) "
        "values (%s, %s, %s, %s, %s, %s, %s)",
        (name, version, source, stage.value, Jsonb(evidence), by.strip(), why.strip()),
    )
    return promotions_of(connection, [name])[-1]


def _stage_of_trading(connection: psycopg.Connection, broker: str) -> Stage:
    """The highest stage among the configured broker and the account that traded last."""
    row = connection.execute(
        "select broker from execution.accounts join ops.current_account using (account_id)"
    ).fetchone()
    stages = {stage_at(broker), stage_at(row[0] if row else broker)}
    return [stage for stage in Stage if stage in stages][-1]


def _lacks_proofs(connection: psycopg.Connection, configured: ConfiguredStrategy, source: str) -> str | None:
    """The sentence that says which proofs this version and source has not passed; None when it has passed all."""
    missing = missing_proofs(connection, configured.name, configured.version, source)
    if not missing:
        return None
    return (
        f"version {configured.version} of this source has not passed {', '.join(missing)}. "
        f"Run `trading prove {configured.name}`."
    )


def _passed_proofs(connection: psycopg.Connection, configured: ConfiguredStrategy, source: str) -> list[dict[str, Any]]:
    if lacking := _lacks_proofs(connection, configured, source):
        raise PromotionRefused(f"Strategy {configured.name} cannot be promoted: {lacking}")
    newest = newest_proofs(connection, configured.name, configured.version, source)
    return [{"proof": one.proof, "proved_at": one.proved_at.isoformat()} for one in newest]


def _backtests(connection: psycopg.Connection, name: str, version: str, source: str) -> list[str]:
    # A walk-forward account changes its parameters from window to window: it is no backtest of one version.
    found = connection.execute(
        "select backtest_id from strategy.backtests where code_versions ->> %(name)s = %(version)s "
        "and sources ->> %(name)s = %(source)s and kind <> 'walk_forward' order by finished_at, backtest_id",
        {"name": name, "version": version, "source": source},
    ).fetchall()
    if not found:
        raise PromotionRefused(
            f"Strategy {name} cannot be promoted: no backtest of version {version} of this source is stored. "
            "Run `trading backtest`."
        )
    return [backtest_id for (backtest_id,) in found]
