"""The schema `strategy`: the history that a strategy is proven on, what was proven, and whether it may be enabled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from psycopg.types.json import Jsonb

from trading_assets.adapters.postgres.corporate_actions import actions_as_of
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.fundamentals import figure_versions
from trading_assets.adapters.postgres.market import bars_as_of
from trading_assets.adapters.postgres.records import select
from trading_assets.domain.market.universe import Membership
from trading_assets.domain.strategy.facts import Facts
from trading_assets.domain.strategy.histories import History
from trading_assets.domain.strategy.proofs import PROOFS, Proof, newest_bars
from trading_assets.domain.strategy.strategy import ConfiguredStrategy, Strategy
from trading_assets.domain.values import Timeframe

if TYPE_CHECKING:
    import psycopg

# Some fifteen symbols over ten years of sessions or one year of hours: a proof computes it some hundred times.
MOST_BARS = 25_000


@dataclass(frozen=True, slots=True)
class StoredProof:
    """What was found of a version and source of a strategy; `proved_at` is UTC."""

    strategy: str
    strategy_version: str
    source_sha256: str
    proof: str
    passed: bool
    finding: str
    evidence: dict[str, Any]
    proved_at: datetime


def stored_history(
    database: Database, configured: ConfiguredStrategy, members: Sequence[Membership], knowledge_time: datetime
) -> History:
    """The newest bars of the universe, as many as a proof needs and at most MOST_BARS, and what was known besides."""
    symbols = sorted({one.symbol for one in members})
    bars = bars_as_of(database, knowledge_time, symbols, configured.timeframe)
    declared = configured.strategy.warm_up + configured.strategy.memory
    return History(
        bars=newest_bars(bars, MOST_BARS, least_closes=8 * declared),
        actions=actions_as_of(database, knowledge_time, symbols),
        facts=stored_facts(database, configured.strategy, members, knowledge_time),
    )


def stored_facts(
    database: Database, strategy: Strategy, members: Sequence[Membership], knowledge_time: datetime
) -> Facts:
    """What the view of `strategy` offers besides bars: its declared figures in all versions, and the memberships."""
    declared = strategy.figures()
    if not declared:
        return Facts(None, members)
    symbols = sorted({one.symbol for one in members})
    return Facts(figure_versions(database, knowledge_time, symbols, declared), members)


def record_proof(
    connection: psycopg.Connection, configured: ConfiguredStrategy, source_sha256: str, proof: Proof
) -> None:
    """Append what was found of the strategy's present version, made from this source."""
    connection.execute(
        "insert into strategy.proofs (strategy, strategy_version, source_sha256, proof, passed, finding, evidence) "
        "values (%s, %s, %s, %s, %s, %s, %s)",
        (
            configured.name,
            configured.version,
            source_sha256,
            proof.name,
            proof.passed,
            proof.finding,
            Jsonb(proof.evidence()),
        ),
    )


def newest_proofs(connection: psycopg.Connection, name: str, version: str, source_sha256: str) -> list[StoredProof]:
    """The newest answer of each proof of exactly this version and source, in the order of PROOFS."""
    found = select(
        connection,
        StoredProof,
        "select distinct on (proof) strategy, strategy_version, source_sha256, proof, passed, finding, evidence, "
        "proved_at from strategy.proofs where strategy = %(name)s and strategy_version = %(version)s "
        "and source_sha256 = %(source)s order by proof, proved_at desc",
        name=name,
        version=version,
        source=source_sha256,
    )
    return sorted(found, key=lambda one: PROOFS.index(one.proof))


def missing_proofs(connection: psycopg.Connection, name: str, version: str, source_sha256: str) -> list[str]:
    """The proofs that exactly this version and source has not passed, the newest answer of each counting."""
    passed = {one.proof for one in newest_proofs(connection, name, version, source_sha256) if one.passed}
    return [proof for proof in PROOFS if proof not in passed]


def is_proven(connection: psycopg.Connection, name: str, version: str, source_sha256: str) -> bool:
    """Whether exactly this version and source of the strategy has passed every proof."""
    return not missing_proofs(connection, name, version, source_sha256)


def has_closes(database: Database, symbols: Sequence[str], timeframe: Timeframe, count: int) -> bool:
    """Whether so many bar closes of one of these symbols, or more, are stored."""
    with database.transaction() as connection:
        row = connection.execute(
            """
            select 1 from unnest(%s::text[]) as wanted (symbol) where %s <= (
                select count(*) from (
                    select from market.bars
                    where bars.symbol = wanted.symbol and timeframe = %s and version = 1 limit %s
                ) as bar
            ) limit 1
            """,
            (list(symbols), count, timeframe.value, count),
        ).fetchone()
    return row is not None
