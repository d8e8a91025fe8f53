"""Promotion of a strategy, research to paper to live: which code may trade where, from what persons have recorded.

What a promotion needs as evidence, and where it is kept, belongs in the adapters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

DIGITS_SHOWN = 12


class Stage(StrEnum):
    """In their order: each needs those before it. Simulated accounts are research, which needs no promotion."""

    RESEARCH = "research"
    PAPER = "paper"
    LIVE = "live"


@dataclass(frozen=True, slots=True)
class Promotion:
    """Somebody let one version of a strategy, made from one source, trade at a stage; `promoted_at` is UTC."""

    strategy: str
    strategy_version: str
    source_sha256: str
    stage: Stage
    evidence: dict[str, Any]
    promoted_by: str
    why: str
    promoted_at: datetime


def stage_at(broker: str) -> Stage:
    """The stage of an account at a broker of this kind; one that is not known to be harmless is live."""
    if broker == "simulated":
        return Stage.RESEARCH
    return Stage.PAPER if broker.endswith("paper") else Stage.LIVE


def may_trade(stage_wanted: Stage, promotions: Sequence[Promotion], version: str, source_sha256: str) -> str | None:
    """Why a strategy may not trade at a stage, as one sentence; None when it may.

    `promotions` are all of this strategy. `version` (code version and parameter hash) and `source_sha256` are those of
    the code that is about to trade: exactly these must have been promoted to the stage and to every one before it.
    """
    order = list(Stage)
    for stage in order[1 : order.index(stage_wanted) + 1]:
        if reason := _not_promoted(stage, [one for one in promotions if one.stage is stage], version, source_sha256):
            return reason
    return None


def stage_of(promotions: Sequence[Promotion], version: str, source_sha256: str) -> Stage:
    """The highest stage at which this code may trade; the arguments are those of may_trade."""
    return [stage for stage in Stage if may_trade(stage, promotions, version, source_sha256) is None][-1]


def _not_promoted(stage: Stage, at_stage: Sequence[Promotion], version: str, source_sha256: str) -> str | None:
    if not at_stage:
        return f"Version {version} was not promoted to {stage}, and no other version was."
    of_version = [one for one in at_stage if one.strategy_version == version]
    if not of_version:
        newest = max(at_stage, key=lambda one: one.promoted_at)
        return (
            f"Version {version} was not promoted to {stage}: version {newest.strategy_version} was, and the code "
            "version or the parameters have changed since."
        )
    if all(one.source_sha256 != source_sha256 for one in of_version):
        newest = max(of_version, key=lambda one: one.promoted_at)
        return (
            f"The source of version {version} has changed since it was promoted to {stage}: its SHA-256 was "
            f"{newest.source_sha256[:DIGITS_SHOWN]} and is {source_sha256[:DIGITS_SHOWN]} now."
        )
    return None
