"""What trading.yaml means to the time loop: the rules an account trades by, and its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from trading_assets.adapters.errors import ContractBroken
from trading_assets.domain.execution.exits import ExitPlan
from trading_assets.domain.execution.fill_model import FillModel
from trading_assets.domain.risk.breakers import DEFAULT_RULES, Breaker, BreakerRule
from trading_assets.domain.risk.intents import SizeRule
from trading_assets.domain.risk.limit_changes import LimitChange, schedule
from trading_assets.domain.risk.limits import RiskLimits
from trading_assets.domain.risk.protections import Protection
from trading_assets.domain.simulation import Rules
from trading_assets.domain.values import decimal_of

if TYPE_CHECKING:
    from trading_assets.settings import BreakerSettings, ProtectionSettings, StrategySettings, TradingSettings


def rules_of(settings: TradingSettings, changes: Sequence[LimitChange] = ()) -> Rules:
    """The rules of `settings`, with the `changes` of its limits from the times on at which they count.

    Raises ContractBroken for changes that no longer fit to what trading.yaml says now.
    """
    broker = settings.broker
    try:
        changed = schedule(settings.risk.limits(), changes, limits_of(settings))
    except ValueError as error:
        raise ContractBroken(
            f"The limits of trading.yaml and those that were set do not fit ({error}): "
            "correct trading.yaml, or set the limit anew with `trading limit set`."
        ) from error
    return Rules(
        limits=RiskLimits.of(settings.risk.limits()),
        fill_model=FillModel(broker.slippage_bps, broker.volume_limit),
        exits={
            name: ExitPlan(**{kind: decimal_of(fraction) for kind, fraction in strategy.exits.chosen().items()})
            for name, strategy in settings.strategies.items()
            if strategy.exits is not None
        },
        entries={
            name: strategy.entry.plan for name, strategy in settings.strategies.items() if strategy.entry is not None
        },
        changes=changed,
        broker=broker.venue,
        account_number=broker.account,
        is_margin_account=broker.account_type == "margin",
        breakers={name.value: _breaker_rule(name, chosen) for name, chosen in settings.risk.breakers.items()},
        protections=tuple(map(_protection, settings.risk.protections)),
        capital={name: decimal_of(strategy.capital_weight) for name, strategy in settings.strategies.items()},
        sizes={name: _size_rule(strategy) for name, strategy in settings.strategies.items() if strategy.position_size},
        timeframes=frozenset(strategy.timeframe for strategy in settings.strategies.values()),
    )


def limits_of(settings: TradingSettings) -> Callable[[Mapping[str, Any]], RiskLimits]:
    """What makes limits of the values of the section `risk`. It raises ValueError for values that are no limits."""
    section = type(settings.risk)
    return lambda values: RiskLimits.of(section.model_validate(values).limits())


def _breaker_rule(name: Breaker, chosen: BreakerSettings) -> BreakerRule:
    usual = DEFAULT_RULES[name]
    return BreakerRule(
        limit=usual.limit if chosen.limit is None else chosen.limit,
        window=chosen.window or usual.window,
        action=chosen.action,
        clears_after_sessions=chosen.clears_after_sessions,
    )


def _protection(chosen: ProtectionSettings) -> Protection:
    return Protection(
        kind=chosen.kind,
        stop_bars=chosen.stop_bars,
        lookback_bars=chosen.lookback_bars or 1,
        trade_limit=chosen.trade_limit,
        required_profit=decimal_of(chosen.required_profit),
        max_drawdown=decimal_of(chosen.max_drawdown or 0),
        is_per_symbol=chosen.per_symbol,
        is_per_side=chosen.per_side,
        strategy=chosen.strategy,
        timeframe=chosen.timeframe,
    )


def _size_rule(strategy: StrategySettings) -> SizeRule:
    stop_loss = strategy.exits.chosen().get("stop_loss") if strategy.exits else None
    return SizeRule(
        strategy.size,
        capital=decimal_of(strategy.capital_weight),
        stop_loss=None if stop_loss is None else decimal_of(stop_loss),
    )


def account_name(broker: str, fingerprint: str, inception: date) -> str:
    """The id of the account that trades the configuration `fingerprint` from session `inception` on."""
    return f"{broker}-{fingerprint}-{inception}"
