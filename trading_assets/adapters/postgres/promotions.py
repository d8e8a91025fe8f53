"""The schema `strategy`: promotions to paper and live, each with the evidence that it rests on. Only ever added to."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from trading_assets.adapters.errors import AdapterError
from trading_assets.adapters.postgres.proofs import is_proven, newest_proofs
from trading_assets.adapters.postgres.records import select
from trading_assets.domain.strategy.promotions import Promotion, Stage, may_trade
from trading_assets.domain.strategy.proofs import PROOFS
from trading_assets.domain.strategy.strategy import ConfiguredStrategy


class PromotionRefused(AdapterError):
    """A strategy lacks what the stage asks for; the message names it and the command that gives it."""


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
    source_sha256: str,
    stage: Stage,
    by: str,
    why: str,
) -> Promotion:
    """Record that a person lets this version of the strategy, made from this source, trade on paper or live.

    Raises PromotionRefused without a person or a reason, when this version has not passed every proof or has no
    stored backtest, and for live when exactly this version and source was not promoted to paper before.
    """
    name, version = configured.name, configured.version
    if stage is Stage.RESEARCH:
        raise PromotionRefused(f"Strategy {name}: research needs no promotion; promote to paper or live.")
    if not by.strip() or not why.strip():
        raise PromotionRefused("A strategy is promoted by a person with a reason: say who (by) and why.")
    evidence = {
        "proofs": _passed_proofs(connection, name, version),
        "backtests": _backtests(connection, name, version),
    }
    if stage is Stage.LIVE:
        earlier = promotions_of(connection, [name])
        if reason := may_trade(Stage.PAPER, earlier, version, source_sha256):
            raise PromotionRefused(
                f"Strategy {name} cannot be promoted to live. {reason} "
                f"Run `trading strategy promote {name} --to paper` first."
            )
    connection.execute(
        "insert into strategy.promotions "
        "(strategy, strategy_version, source_sha256, stage, evidence, promoted_by, why) "
        "values (%s, %s, %s, %s, %s, %s, %s)",
        (name, version, source_sha256, stage.value, Jsonb(evidence), by.strip(), why.strip()),
    )
    return promotions_of(connection, [name])[-1]


def _passed_proofs(connection: psycopg.Connection, name: str, version: str) -> list[dict[str, Any]]:
    newest = newest_proofs(connection, name, version)
    if not is_proven(connection, name, version):
        passed = {one.proof for one in newest if one.passed}
        missing = ", ".join(proof for proof in PROOFS if proof not in passed)
        raise PromotionRefused(
            f"Strategy {name} cannot be promoted: version {version} has not passed {missing}. "
            f"Run `trading prove {name}`."
        )
    return [{"proof": one.proof, "proved_at": one.proved_at.isoformat()} for one in newest]


def _backtests(connection: psycopg.Connection, name: str, version: str) -> list[str]:
    # A walk-forward account changes its parameters from window to window: it is no backtest of one version.
    found = connection.execute(
        "select backtest_id from strategy.backtests where code_versions ->> %s = %s and kind <> 'walk_forward' "
        "order by finished_at, backtest_id",
        (name, version),
    ).fetchall()
    if not found:
        raise PromotionRefused(
            f"Strategy {name} cannot be promoted: no backtest of version {version} is stored. Run `trading backtest`."
        )
    return [backtest_id for (backtest_id,) in found]
