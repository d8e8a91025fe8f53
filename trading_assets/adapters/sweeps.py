"""Searches for parameters: many backtests over the same bars, side by side in processes that share them.

What the best of many is worth is said with the number of trials: see deflated_sharpe in domain/performance/metrics.py.
"""

from __future__ import annotations

import multiprocessing
import os
import random
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from itertools import product
from typing import Any, NamedTuple

from trading_assets.adapters.backtests import (
    Plan,
    Result,
    backtest_id,
    deflated_sharpe,
    identity,
    name_of,
    plan_backtest,
    sharpe_of,
    tried_strategies,
)
from trading_assets.adapters.plugins import PluginError
from trading_assets.domain.backtest import MarketRecord, Stage, trade_in_turn
from trading_assets.domain.kernel.compiler import is_kept
from trading_assets.domain.kernel.run import compile_loop
from trading_assets.domain.market.sessions import sessions_between
from trading_assets.domain.performance.summary import Summary, summarise
from trading_assets.domain.performance.walk_forward import WalkForward, Window, best
from trading_assets.domain.trials import is_compiled, outcome
from trading_assets.settings import SettingsError, TradingSettings, overridden

SEARCHED = ("strategies", "risk", "broker")


@dataclass(frozen=True, slots=True)
class Search:
    """The values of each key that are combined: all combinations, or `sample` of them drawn with `seed`."""

    parameters: Mapping[str, Sequence[Any]]
    sample: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for key, values in self.parameters.items():
            if key.partition(".")[0] not in SEARCHED:
                raise SettingsError(f"{key} cannot be searched: choose among {', '.join(SEARCHED)}.")
            if not values:
                raise SettingsError(f"{key} has no values to try.")
        if not self.parameters:
            raise SettingsError("There is nothing to search: give --grid KEY=VALUE,VALUE at least once.")

    def combinations(self) -> list[dict[str, Any]]:
        """What is tried, in the order of the values given."""
        every = [dict(zip(self.parameters, values, strict=True)) for values in product(*self.parameters.values())]
        if self.sample is None or self.sample >= len(every):
            return every
        chosen = random.Random(self.seed).sample(range(len(every)), self.sample)  # noqa: S311  no secret
        return [every[at] for at in sorted(chosen)]

    def settings_tried(self, settings: TradingSettings, overrides: Mapping[str, Any]) -> list[TradingSettings]:
        """The settings of every combination on top of `overrides`. Raises SettingsError when none is accepted."""
        tried, refusals = list[TradingSettings](), list[SettingsError]()
        for combination in self.combinations():
            try:
                tried.append(overridden(settings, {**overrides, **combination}))
            except SettingsError as error:
                refusals.append(error)
        if not tried:
            raise _none_accepted(refusals)
        return tried


@dataclass(frozen=True, slots=True)
class Fold:
    """The Sharpe ratio, a year, of each trial on the training window, and the index of the chosen trial."""

    window: Window
    train_sharpes: Sequence[float | None]
    chosen: int


@dataclass(frozen=True, slots=True, eq=False)
class SweepResult:
    """A finished sweep. `trials` are over the same sessions; with walk-forward these are all test windows together.

    `out_of_sample` is the account that trades in each test window what was best on its training window.
    `deflated_sharpes` belong to the trials, row for row. They count `earlier_trials` too: other configurations of the
    same strategies that were tried before.
    """

    sweep_id: str
    name: str
    search: Search
    walk_forward: WalkForward | None
    left_out: int
    first: date
    last: date
    trials: Sequence[Result]
    deflated_sharpes: Sequence[float | None]
    folds: Sequence[Fold]
    out_of_sample: Result | None
    deflated_out_of_sample: float | None
    earlier_trials: int
    started_at: datetime
    finished_at: datetime

    def ranked(self) -> list[int]:
        """Indices of the trials, the highest Sharpe ratio first; trials without one come last."""
        sharpes = [trial.summary.figures.sharpe for trial in self.trials]
        return sorted(range(len(sharpes)), key=lambda at: (sharpes[at] is None, -(sharpes[at] or 0.0), at))


TriedBefore = Callable[[str, Collection[str]], Mapping[str, float]]
"""The Sharpe ratios a year, by configuration, of what was tried of the strategies before the sweep with this id."""


def run_sweep(
    settings: TradingSettings,
    record: MarketRecord,
    of_data: str,
    search: Search,
    walk_forward: WalkForward | None = None,
    name: str | None = None,
    overrides: Mapping[str, Any] | None = None,
    report: Callable[[int, int], None] | None = None,
    processes: int | None = None,
    tried_before: TriedBefore | None = None,
    tell: Callable[[str], None] | None = None,
) -> SweepResult:
    """Try every combination of `search` on top of `overrides`; `report` hears how many trials of how many are done.

    `tried_before` knows the trials of these strategies that came before: the best of them all is what luck gives.
    `tell` hears what takes a while before the first trial.

    Raises SettingsError when no combination is accepted or the range is too short, and what a backtest raises.
    """
    started_at = datetime.now(UTC)
    fixed = dict(overrides or {})
    plans, left_out = _accepted(settings, record, fixed, search)
    try:
        windows = walk_forward.windows(sessions_between(record.first, record.last)) if walk_forward else []
    except ValueError as error:
        raise SettingsError(f"--walk-forward: {error}.") from error
    first, last = (windows[0].test_first, windows[-1].test_last) if windows else (record.first, record.last)
    name = name or "sweep-" + "-".join(key.rpartition(".")[2] for key in search.parameters)
    plans = [replace(plan, first=first, last=last) for plan in plans]
    facts = (search.parameters, search.sample, search.seed, walk_forward, fixed)
    code = (plans[0].code_versions, plans[0].sources)
    sweep_id = identity(name, settings.fingerprint(), code, record.first, record.last, of_data, repr(facts))
    if is_compiled(record, [plan.terms for plan in plans]):
        # Before the processes part, so that none of them has to do it again.
        if tell and not is_kept():
            tell("Compiling the time loop: once for this version, less than a minute.")
        compile_loop()
    tried: list[_Tried] = []
    for one in _try_all(_Shared(record, plans, windows, first, last), processes):
        tried.append(one)
        if report is not None:
            report(len(tried), len(plans))
    trials = [
        Result(
            backtest_id=backtest_id(plan, of_data, sweep_id, number),
            plan=plan,
            data_hash=of_data,
            known_at=record.now,
            started_at=one.started_at,
            finished_at=one.finished_at,
            summary=one.summary,
        )
        for number, (plan, one) in enumerate(zip(plans, tried, strict=True), start=1)
    ]
    folds = []
    for at, window in enumerate(windows):
        sharpes = [one.train_sharpes[at] for one in tried]
        folds.append(Fold(window, sharpes, best(sharpes)))
    stitched = _out_of_sample(settings, record, plans, folds, of_data, sweep_id, name) if folds else None
    own = {trial.plan.configuration_id: sharpe_of(trial) for trial in trials}
    strategies = tried_strategies([*fixed, *search.parameters], settings.strategies)
    earlier = tried_before(sweep_id, strategies) if tried_before else {}
    luck = list({**earlier, **own}.values())
    return SweepResult(
        sweep_id=sweep_id,
        name=name,
        search=search,
        walk_forward=walk_forward,
        left_out=left_out,
        first=first,
        last=last,
        trials=trials,
        deflated_sharpes=[deflated_sharpe(trial.summary.returns, luck) for trial in trials],
        folds=folds,
        out_of_sample=stitched,
        deflated_out_of_sample=deflated_sharpe(stitched.summary.returns, luck) if stitched else None,
        earlier_trials=len(earlier.keys() - own.keys()),
        started_at=started_at,
        finished_at=datetime.now(UTC),
    )


def _accepted(
    settings: TradingSettings, record: MarketRecord, fixed: Mapping[str, Any], search: Search
) -> tuple[list[Plan], int]:
    """A plan for every combination that settings and strategies accept, and how many they do not."""
    plans: list[Plan] = []
    refusals: list[Exception] = []
    for combination in search.combinations():
        try:
            plans.append(plan_backtest(settings, record, {**fixed, **combination}, name_of(combination)))
        except (SettingsError, PluginError) as error:
            refusals.append(error)
    if not plans:
        raise _none_accepted(refusals)
    return plans, len(refusals)


def _none_accepted(refusals: Sequence[Exception]) -> SettingsError:
    return SettingsError(f"None of the {len(refusals)} combinations is accepted; the first: {refusals[0]}")


def _out_of_sample(
    settings: TradingSettings,
    record: MarketRecord,
    plans: Sequence[Plan],
    folds: Sequence[Fold],
    of_data: str,
    sweep_id: str,
    name: str,
) -> Result:
    """One account through all test windows, which trades in each the plan that was chosen on its training window."""
    started_at = datetime.now(UTC)
    first, last = folds[0].window.test_first, folds[-1].window.test_last
    chosen = {str(fold.window.test_first): plans[fold.chosen].overrides for fold in folds}
    plan = replace(
        plan_backtest(settings, record, {}, f"{name}-walk-forward"), overrides=chosen, first=first, last=last
    )
    stages = [
        Stage(
            record.targets(plans[fold.chosen].strategies),
            plans[fold.chosen].terms.rules,
            fold.window.test_first,
            fold.window.test_last,
        )
        for fold in folds
    ]
    journal = trade_in_turn(record, stages, plan.terms.account_id, plan.terms.opening_cash_usd)
    return Result(
        backtest_id=backtest_id(plan, of_data, sweep_id),
        plan=plan,
        data_hash=of_data,
        known_at=record.now,
        started_at=started_at,
        finished_at=datetime.now(UTC),
        summary=summarise(journal),
    )


# Processes ----------------------------------------------------------------------------------------


class _Shared(NamedTuple):
    """What every process of a sweep reads. Forked processes share its memory, and nothing of it is copied to them."""

    record: MarketRecord
    plans: Sequence[Plan]
    windows: Sequence[Window]
    first: date
    last: date


class _Tried(NamedTuple):
    summary: Summary
    train_sharpes: Sequence[float | None]
    started_at: datetime
    finished_at: datetime


_shared: _Shared | None = None


def _share(shared: _Shared) -> None:
    """Begin a process that works on this sweep and on nothing else."""
    global _shared
    _shared = shared


def _try_all(shared: _Shared, processes: int | None) -> Iterator[_Tried]:
    """The plans' results in their order, from as many processes as there are cores."""
    count = min(processes or os.cpu_count() or 1, len(shared.plans))
    if count == 1:
        yield from (_tried(shared, plan) for plan in shared.plans)
        return
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(count, context, _share, (shared,)) as pool:
        try:
            yield from pool.map(_try, range(len(shared.plans)))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _try(number: int) -> _Tried:
    assert _shared is not None  # noqa: S101  set when the process began
    return _tried(_shared, _shared.plans[number])


def _tried(shared: _Shared, plan: Plan) -> _Tried:
    """The plan over the whole range, and from nothing over each training window."""
    started_at = datetime.now(UTC)
    record, strategies, terms = shared.record, plan.strategies, plan.terms
    summary = outcome(record, strategies, terms, shared.first, shared.last)
    trained = [outcome(record, strategies, terms, one.train_first, one.train_last) for one in shared.windows]
    return _Tried(summary, [one.figures.sharpe for one in trained], started_at, datetime.now(UTC))
