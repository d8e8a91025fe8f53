"""Leads the proofs of a strategy, each in a process of its own: one that hangs or dies has failed, and no other waits.

What a proof is belongs in domain/strategy/proofs.py, where its answer is kept in adapters/postgres/proofs.py.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterator
from functools import partial
from struct import Struct
from typing import Protocol

from trading_assets.adapters.isolation import IsolatedError, Limits, run_isolated
from trading_assets.domain.strategy.histories import History
from trading_assets.domain.strategy.proofs import LOOK_AHEAD, WARM_UP, Progress, Proof, prove_no_look_ahead, unproven
from trading_assets.domain.strategy.strategy import ConfiguredStrategy
from trading_assets.domain.strategy.warm_up import prove_warm_up
from trading_assets.settings import TradingSettings

DONE_OF_TOTAL = Struct("qq")


class Prove(Protocol):
    """What leads one proof."""

    def __call__(
        self, configured: ConfiguredStrategy, history: History, *, progress: Progress | None = None
    ) -> Proof: ...


LEADS: dict[str, Prove] = {LOOK_AHEAD: prove_no_look_ahead, WARM_UP: prove_warm_up}
"""By the name of the proof, in the order of PROOFS."""


def proof_limits(settings: TradingSettings) -> Limits:
    """What one proof of one strategy may take."""
    limits = settings.strategy_limits
    return Limits(limits.proof_seconds, limits.memory_mb)


def lead_proofs(
    configured: ConfiguredStrategy,
    history: History,
    limits: Limits,
    report: Callable[[str, int, int], None] | None = None,
) -> Iterator[Proof]:
    """Every proof of one strategy, in the order of PROOFS. One that gives no answer within `limits` has failed.

    `report` hears, here and now and then, how many of how many times of which proof are done.
    """
    for name, lead in LEADS.items():
        subject = f"Strategy {configured.name!r} ({configured.version}) in its proof"
        with mmap.mmap(-1, DONE_OF_TOTAL.size) as shared:
            work = partial(lead, configured, history, progress=partial(DONE_OF_TOTAL.pack_into, shared, 0))
            try:
                proof = run_isolated(work, limits, subject, _watching(shared, name, report)).value
            except IsolatedError as error:
                proof = unproven(name, history, str(error))
        yield proof


def _watching(
    shared: mmap.mmap, name: str, report: Callable[[str, int, int], None] | None
) -> Callable[[], None] | None:
    if report is None:
        return None

    def watch() -> None:
        done, total = DONE_OF_TOTAL.unpack_from(shared)
        if total:
            report(name, done, total)

    return watch
