"""Indicators, one asset of signals for each configured strategy, and the targets that follow from all of them.

What is computed lies in the domain, what is stored in adapters/postgres/strategy.py: here is only the order of things.
"""

from collections.abc import Callable, Sequence
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import dagster as dg

from trading_assets.adapters.isolation import IsolatedError, Limits, run_isolated, signal_limits
from trading_assets.adapters.plugins import load_strategies
from trading_assets.adapters.ports import Clock
from trading_assets.adapters.postgres import market
from trading_assets.adapters.postgres import strategy as store
from trading_assets.adapters.postgres.corporate_actions import actions_as_of
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.instruments import sector_facts
from trading_assets.adapters.postgres.pairs import store_pairs
from trading_assets.adapters.postgres.proofs import stored_facts
from trading_assets.adapters.postgres.roles import STRATEGY_ROLE
from trading_assets.adapters.postgres.strategy_states import state_before, store_states
from trading_assets.adapters.postgres.universe import store_members, stored_members
from trading_assets.defs.materialization import table_result
from trading_assets.defs.partitions import SESSIONS, session_range
from trading_assets.domain.market.adjust import point_in_time_factors
from trading_assets.domain.market.sessions import previous_session, session
from trading_assets.domain.market.universe import Membership, universe_id
from trading_assets.domain.strategy import indicators as technical
from trading_assets.domain.strategy.facts import Facts
from trading_assets.domain.strategy.indicators import Indicator
from trading_assets.domain.strategy.knowledge import Part, parts
from trading_assets.domain.strategy.pairs import DiscoversPairs, discover, discovery_times
from trading_assets.domain.strategy.portfolio import ReturnHistory, Sectors
from trading_assets.domain.strategy.stateful import StatefulStrategy, decide_from
from trading_assets.domain.strategy.strategy import ConfiguredStrategy, decide
from trading_assets.domain.strategy.targets import combine, needed_history
from trading_assets.domain.values import Timeframe
from trading_assets.settings import TradingSettings

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")

GROUP = "strategy"
ALL_BARS = 2**31 - 1
KINDS = {"python", "postgres"}
BARS = dg.AssetKey(["market", "bars"])
ACTIONS = dg.AssetKey(["market", "corporate_actions"])
FINANCIALS = dg.AssetKey(["market", "financials"])
INDICATORS = dg.AssetKey(["strategy", "indicators"])


def strategy_assets(
    settings: TradingSettings, configured: Sequence[ConfiguredStrategy] | None = None
) -> list[dg.AssetsDefinition]:
    """The assets of this stage. `configured` are by default the strategies of trading.yaml. Raises PluginError."""
    strategies = load_strategies(settings) if configured is None else list(configured)
    limits = signal_limits(settings)
    signals = [signals_asset(one, settings.members, limits) for one in strategies]
    discoverers = [one for one in strategies if isinstance(one.strategy, DiscoversPairs)]
    return [
        indicators_asset(strategies, settings.universe, settings.timeframes),
        *signals,
        *([pairs_asset(discoverers, settings.members, limits)] if discoverers else []),
        targets_asset(strategies, settings.members, [asset.key for asset in signals]),
    ]


def indicators_asset(
    strategies: Sequence[ConfiguredStrategy], universe: Sequence[str], timeframes: Sequence[Timeframe]
) -> dg.AssetsDefinition:
    @dg.asset(
        key=INDICATORS,
        deps=[BARS, ACTIONS],
        partitions_def=SESSIONS,
        backfill_policy=dg.BackfillPolicy.single_run(),
        group_name=GROUP,
        kinds=KINDS,
        description="Every declared indicator, one column each, point in time, in the raw prices of its bar.",
    )
    def indicators(
        context: dg.AssetExecutionContext, database: dg.ResourceParam[Database], clock: dg.ResourceParam[Clock]
    ) -> dg.MaterializeResult:
        first, last = session_range(context, clock)
        database = database.acting_as(STRATEGY_ROLE)
        written = 0
        for timeframe in timeframes:
            users = [one for one in strategies if one.timeframe is timeframe]
            declared = sorted({indicator for one in users for indicator in one.strategy.indicators()})
            memory = max((one.strategy.memory for one in users), default=0)
            for part in _parts(database, universe, timeframe, first, last, clock):
                written += _store_indicators(database, universe, timeframe, declared, memory, part)
        return table_result(database, "strategy.indicators", first, last, written)

    return indicators


def _store_indicators(
    database: Database,
    universe: Sequence[str],
    timeframe: Timeframe,
    declared: Sequence[Indicator],
    memory: int,
    part: Part,
) -> int:
    bars = market.bars_as_of(database, part.knowledge_time, universe, timeframe, last=part.last)
    actions = actions_as_of(database, part.knowledge_time, universe)
    values = technical.compute(bars, point_in_time_factors(bars, actions), declared)
    is_wanted = (bars["closes_at"] > part.after).to_numpy(dtype=bool, copy=True)
    # Strategies read back as far as their memory, whatever range is asked for: what lacks there is filled,
    # what is stored there stays, because it was computed with the knowledge of its own session.
    start = store.lookback_start(database, universe, timeframe, part.first, memory)
    is_before = ~is_wanted & (bars["session_date"] >= start).to_numpy(dtype=bool)
    is_wanted[is_before] = ~store.is_computed(database, bars[is_before], declared, timeframe)
    return store.store_indicators(database, bars[is_wanted], values[is_wanted], declared)


def signals_asset(configured: ConfiguredStrategy, members: Sequence[Membership], limits: Limits) -> dg.AssetsDefinition:
    """The asset strategy/signals_<name>: one a strategy, so that one that fails leaves the others materialised.

    What the strategy computes, it computes in a process of its own within `limits`.
    """
    strategy, timeframe = configured.strategy, configured.timeframe
    universe = sorted({one.symbol for one in members})

    @dg.asset(
        key=["strategy", f"signals_{configured.name}"],
        deps=[BARS, INDICATORS, FINANCIALS] if strategy.figures() else [BARS, INDICATORS],
        partitions_def=SESSIONS,
        backfill_policy=dg.BackfillPolicy.single_run(),
        group_name=GROUP,
        kinds=KINDS,
        description=f"Signals of {configured.name} {configured.version} at every close of its {timeframe} bars.",
        code_version=configured.version,
    )
    def signals(
        context: dg.AssetExecutionContext, database: dg.ResourceParam[Database], clock: dg.ResourceParam[Clock]
    ) -> dg.MaterializeResult:
        first, last = session_range(context, clock)
        database = database.acting_as(STRATEGY_ROLE)
        if isinstance(strategy, StatefulStrategy):
            written = _go_on(context, database, configured, members, limits, first, last, clock)
            return table_result(database, "strategy.signals", first, last, written)
        written = 0
        for part in _parts(database, universe, timeframe, first, last, clock):
            known = _known(database, configured, members, part)
            decided = _computed(context, configured, limits, partial(decide, configured, *known))
            wanted = decided[decided["closes_at"] > part.after]
            written += store.store_signals(database, configured, wanted, universe, part.first, part.last)
        return table_result(database, "strategy.signals", first, last, written)

    return signals


def _go_on(
    context: dg.AssetExecutionContext,
    database: Database,
    configured: ConfiguredStrategy,
    members: Sequence[Membership],
    limits: Limits,
    first: date,
    last: date,
    clock: Clock,
) -> int:
    """Store a stateful strategy's signals of the sessions first..last, and the state after every decision.

    It goes on from the newest state before them, or from the first bar of all: what lies between is lived through
    too, each decision with the knowledge of its own time.
    """
    timeframe = configured.timeframe
    universe, universe_key = sorted({one.symbol for one in members}), universe_id(members)
    before = state_before(database, configured, universe_key, session(first).opens_at)
    begin = before.session_date if before else store.lookback_start(database, universe, timeframe, first, ALL_BARS)
    missed = _parts(database, universe, timeframe, begin, previous_session(first), clock) if begin < first else []
    states = [before] if before else []
    written = 0
    for part in [*missed, *_parts(database, universe, timeframe, first, last, clock)]:
        see = _known if part.first >= first else _known_again
        bars, values, facts = see(database, configured, members, part)
        is_next = (bars["closes_at"] > max([part.after, *(one.decision_at for one in states[-1:])])).to_numpy()
        if not is_next.any():
            continue
        state = states[-1].state if states else None
        decided, after = _computed(
            context, configured, limits, partial(decide_from, configured, bars[is_next], values[is_next], state, facts)
        )
        states += after
        if part.first >= first:
            written += store.store_signals(database, configured, decided, universe, part.first, part.last)
    store_states(database, configured, universe_key, states)
    return written


def pairs_asset(
    discoverers: Sequence[ConfiguredStrategy], members: Sequence[Membership], limits: Limits
) -> dg.AssetsDefinition:
    """The asset strategy/pairs: what the strategies that trade pairs find, for people. They find it anew to decide."""
    universe = sorted({one.symbol for one in members})

    @dg.asset(
        key=["strategy", "pairs"],
        deps=[BARS, INDICATORS],
        partitions_def=SESSIONS,
        backfill_policy=dg.BackfillPolicy.single_run(),
        group_name=GROUP,
        kinds=KINDS,
        description="Pairs tested for cointegration at the close of each month's first session, from bars up to it.",
    )
    def pairs(
        context: dg.AssetExecutionContext, database: dg.ResourceParam[Database], clock: dg.ResourceParam[Clock]
    ) -> dg.MaterializeResult:
        first, last = session_range(context, clock)
        database = database.acting_as(STRATEGY_ROLE)
        written = 0
        for configured in discoverers:
            for part in _parts(database, universe, configured.timeframe, first, last, clock):
                if not discovery_times(part.after, part.knowledge_time):
                    continue
                known = _known(database, configured, members, part)
                found = _computed(context, configured, limits, partial(discover, configured, *known))
                new = [one for one in found if one.discovered_at > part.after]
                written += store_pairs(database, configured, new, part.after, part.knowledge_time)
        return table_result(database, "strategy.pairs", first, last, written)

    return pairs


def _known(
    database: Database, configured: ConfiguredStrategy, members: Sequence[Membership], part: Part
) -> "tuple[pd.DataFrame, pd.DataFrame, Facts]":
    """What the strategy may see in `part`: bars as far back as its memory, their indicators, and other facts."""
    strategy, timeframe = configured.strategy, configured.timeframe
    universe = sorted({one.symbol for one in members})
    start = store.lookback_start(database, universe, timeframe, part.first, strategy.memory)
    bars = market.bars_as_of(database, part.knowledge_time, universe, timeframe, start, part.last)
    values = store.indicators_of(database, bars, strategy.indicators(), timeframe)
    return bars, values, stored_facts(database, strategy, members, part.knowledge_time)


def _known_again(
    database: Database, configured: ConfiguredStrategy, members: Sequence[Membership], part: Part
) -> "tuple[pd.DataFrame, pd.DataFrame, Facts]":
    """As `_known`, for sessions whose indicators need not be stored: they are computed again."""
    strategy, universe = configured.strategy, sorted({one.symbol for one in members})
    bars = market.bars_as_of(database, part.knowledge_time, universe, configured.timeframe, last=part.last)
    actions = actions_as_of(database, part.knowledge_time, universe)
    values = technical.compute(bars, point_in_time_factors(bars, actions), strategy.indicators())
    is_recent = (bars["session_date"] >= part.first).to_numpy(dtype=bool)
    return bars[is_recent], values[is_recent], stored_facts(database, strategy, members, part.knowledge_time)


def _computed(
    context: dg.AssetExecutionContext, configured: ConfiguredStrategy, limits: Limits, work: Callable[[], T]
) -> T:
    """What `work` returns in a process of its own; what it prints goes into the run's log. Raises dg.Failure."""
    try:
        answer = run_isolated(work, limits, f"Strategy {configured.name!r} ({configured.version})")
    except IsolatedError as error:
        _tell(context, configured, error.output)
        raise dg.Failure(str(error), allow_retries=False) from error
    _tell(context, configured, answer.output)
    return answer.value


def _tell(context: dg.AssetExecutionContext, configured: ConfiguredStrategy, output: str) -> None:
    if output:
        context.log.info(f"Strategy {configured.name} printed:\n{output}")


def targets_asset(
    strategies: Sequence[ConfiguredStrategy], members: Sequence[Membership], signals: Sequence[dg.AssetKey]
) -> dg.AssetsDefinition:
    universe = sorted({one.symbol for one in members})

    @dg.asset(
        key=["strategy", "targets"],
        deps=[*signals, BARS, ACTIONS] if any(one.reads_history for one in strategies) else list(signals),
        partitions_def=SESSIONS,
        backfill_policy=dg.BackfillPolicy.single_run(),
        group_name=GROUP,
        kinds=KINDS,
        description="The share of equity that each strategy wants to hold of each symbol, at every decision.",
    )
    def targets(
        context: dg.AssetExecutionContext, database: dg.ResourceParam[Database], clock: dg.ResourceParam[Clock]
    ) -> dg.MaterializeResult:
        first, last = session_range(context, clock)
        database = database.acting_as(STRATEGY_ROLE)
        decided = store.signals_between(database, strategies, universe, first, last)
        with database.transaction() as connection:
            store_members(connection, members)
        wanted = combine(
            decided,
            strategies,
            stored_members(database, universe_id(members)),
            _histories(database, universe, strategies, first, last, clock),
            _sectors(database, universe, strategies),
        )
        written = store.store_targets(database, strategies, wanted, universe, first, last)
        return table_result(database, "strategy.targets", first, last, written)

    return targets


def _histories(
    database: Database,
    universe: Sequence[str],
    strategies: Sequence[ConfiguredStrategy],
    first: date,
    last: date,
    clock: Clock,
) -> list[ReturnHistory]:
    """What the weights and sizes of the `strategies` are made of; nothing is read when they read none of it."""
    histories = []
    for timeframe in sorted({one.timeframe for one in strategies if one.reads_history}):
        lookback, atr_periods = needed_history(strategies, timeframe)
        for part in _parts(database, universe, timeframe, first, last, clock):
            # From a symbol's first bar, as with indicators: no rounding may depend on the range asked for.
            bars = market.bars_as_of(database, part.knowledge_time, universe, timeframe, last=part.last)
            factors = point_in_time_factors(bars, actions_as_of(database, part.knowledge_time, universe))
            span = part.after, part.knowledge_time
            histories.append(ReturnHistory.of_bars(timeframe, *span, bars, factors, lookback, atr_periods))
    return histories


def _sectors(database: Database, universe: Sequence[str], strategies: Sequence[ConfiguredStrategy]) -> Sectors:
    is_read = any(one.portfolio.max_sector_weight is not None for one in strategies)
    return Sectors(sector_facts(database, universe) if is_read else ())


def _parts(
    database: Database, universe: Sequence[str], timeframe: Timeframe, first: date, last: date, clock: Clock
) -> list[Part]:
    restated = store.later_knowledge(database, universe, session(first).opens_at, session(last).closes_at)
    return parts(first, last, timeframe, restated, clock.now())
