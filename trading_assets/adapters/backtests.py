"""Backtests of configurations: from settings to a result with an id that says what it was made of.

The run itself is domain/backtest.py; results are stored by adapters/postgres/backtests.py.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from trading_assets.adapters.account_terms import account_name, rules_of
from trading_assets.adapters.errors import ContractBroken
from trading_assets.adapters.plugins import load_strategies, source_sha256
from trading_assets.domain.backtest import MarketRecord, Report, Terms, trade
from trading_assets.domain.journal import Journal
from trading_assets.domain.performance import metrics
from trading_assets.domain.performance.returns import Floats
from trading_assets.domain.performance.summary import Summary, summarise
from trading_assets.domain.risk.limit_changes import LimitChange
from trading_assets.domain.strategy.strategy import ConfiguredStrategy
from trading_assets.domain.tape import NothingStoredError
from trading_assets.settings import TradingSettings, overridden

ID_DIGITS = 16


@dataclass(frozen=True, slots=True)
class Plan:
    """One configuration over the sessions first..last: `overrides` are what differs from the settings it began with.

    `sources` are the SHA-256 of the files that define each strategy, by its name, as they were when it was planned.
    `limit_changes` are those of limits that no override sets: what is tried holds all the time.
    """

    name: str
    settings: TradingSettings
    strategies: Sequence[ConfiguredStrategy]
    sources: Mapping[str, str]
    overrides: Mapping[str, Any]
    first: date
    last: date
    limit_changes: Sequence[LimitChange] = ()

    @property
    def code_versions(self) -> dict[str, str]:
        return {"trading_assets": version("trading-assets"), **{one.name: one.version for one in self.strategies}}

    @property
    def configuration_id(self) -> str:
        """What is tried, over whatever sessions and data: another one is another trial."""
        return configuration_id(self.settings.fingerprint(), self.code_versions, self.sources)

    @property
    def configuration(self) -> dict[str, Any]:
        """Every setting that decides trading, in plain JSON values."""
        return self.settings.trading_facts()

    @property
    def terms(self) -> Terms:
        """The account of a backfill of the same configuration that begins with the same session."""
        broker = self.settings.broker
        account = account_name(broker.kind, self.settings.fingerprint(), self.first)
        return Terms(account, broker.opening_cash_usd, rules_of(self.settings, self.limit_changes))


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """A finished backtest. Times are UTC; `known_at` is the time of knowledge of its data."""

    backtest_id: str
    plan: Plan
    data_hash: str
    known_at: datetime
    started_at: datetime
    finished_at: datetime
    summary: Summary


def plan_backtest(
    settings: TradingSettings, record: MarketRecord, overrides: Mapping[str, Any], name: str | None = None
) -> Plan:
    """A plan over all sessions of `record`. Raises SettingsError and PluginError."""
    changed = overridden(settings, overrides) if overrides else settings
    strategies = load_strategies(changed)
    sources = {one.name: source_sha256(type(one.strategy)) for one in strategies}
    limit_changes = [one for one in record.limit_changes if not {"risk", f"risk.{one.name}"} & overrides.keys()]
    name, span = name or name_of(overrides), (record.first, record.last)
    return Plan(name, changed, strategies, sources, dict(overrides), *span, limit_changes)


def name_of(overrides: Mapping[str, Any]) -> str:
    """`sma_crossover.fast=10,risk.allow_short=true`; `as-configured` without any."""
    parts = [
        f"{key.removeprefix('strategies.').replace('.parameters.', '.')}={json.dumps(value, default=str)}"
        for key, value in overrides.items()
    ]
    return ",".join(parts).replace(" ", "").replace('"', "") or "as-configured"


def configuration_id(fingerprint: str, code_versions: Mapping[str, str], sources: Mapping[str, str]) -> str:
    """Of a stored backtest, as of a plan."""
    return identity(fingerprint, code_versions, sources)


def tried_strategies(keys: Iterable[str], configured: Collection[str]) -> list[str]:
    """Whose parameters are tried when the settings `keys` are changed: those they name, or else all of them."""
    named = {parts[1] for key in keys if len(parts := key.split(".")) > 1 and parts[0] == "strategies"}
    return sorted(named & set(configured)) or sorted(configured)


def identity(*facts: Any) -> str:
    """Sixteen hex digits of `facts`."""
    text = json.dumps(facts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:ID_DIGITS]


def report_path(home: Path, name: str) -> Path:
    """Where the page of a backtest, a sweep or a comparison lies below the state folder."""
    return home.resolve() / "reports" / "backtests" / f"{name}.html"


def sharpe_of(result: Result) -> float:
    """A year's Sharpe ratio; a trial that never traded earned nothing, and counts as a trial with the ratio 0."""
    return result.summary.figures.sharpe or 0.0


def deflated_sharpe(returns: Floats, tried: Collection[float]) -> float | None:
    """What `returns` are worth among configurations with these Sharpe ratios a year; None with fewer than two."""
    return metrics.deflated_sharpe(returns, [ratio / metrics.SESSIONS_A_YEAR**0.5 for ratio in tried])


def backtest_id(plan: Plan, of_data: str, *belonging: Any) -> str:
    """What makes a backtest another one: its name, configuration, code, sessions and data, and the sweep it is of."""
    of_settings = plan.settings.fingerprint()
    code = (plan.code_versions, plan.sources)
    return identity(plan.name, of_settings, code, plan.first, plan.last, of_data, *belonging)


def run_journal(plan: Plan, record: MarketRecord, report: Report | None = None) -> Journal:
    """The journal of `plan` over `record`. Raises StrategyError, and ContractBroken for a session without data."""
    try:
        return trade(record, record.targets(plan.strategies), plan.terms, plan.first, plan.last, report)
    except NothingStoredError as error:
        raise ContractBroken(str(error)) from error


def run_backtest(plan: Plan, record: MarketRecord, of_data: str, report: Report | None = None) -> Result:
    """`plan` over `record`, whose hash is `of_data` (data_hash); `report` hears of every session that has been traded.

    Raises StrategyError and ContractBroken.
    """
    started_at = datetime.now(UTC)
    journal = run_journal(plan, record, report)
    return Result(
        backtest_id=backtest_id(plan, of_data),
        plan=plan,
        data_hash=of_data,
        known_at=record.now,
        started_at=started_at,
        finished_at=datetime.now(UTC),
        summary=summarise(journal),
    )
