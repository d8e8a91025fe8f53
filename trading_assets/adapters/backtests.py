"""Backtests of configurations: from settings to a result with an id that says what it was made of.

The run itself is domain/backtest.py; results are stored by adapters/postgres/backtests.py.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib.metadata import version
from typing import Any

from trading_assets.adapters.account_terms import account_name, rules_of
from trading_assets.adapters.errors import ContractBroken
from trading_assets.adapters.plugins import load_strategies, source_sha256
from trading_assets.domain.backtest import MarketRecord, Terms, trade
from trading_assets.domain.journal import Journal
from trading_assets.domain.performance.summary import Summary, summarise
from trading_assets.domain.strategy.strategy import ConfiguredStrategy
from trading_assets.domain.tape import NothingStoredError
from trading_assets.settings import TradingSettings, overridden

ID_DIGITS = 16


@dataclass(frozen=True, slots=True)
class Plan:
    """One configuration over the sessions first..last: `overrides` are what differs from the settings it began with.

    `sources` are the SHA-256 of the files that define each strategy, by its name, as they were when it was planned.
    """

    name: str
    settings: TradingSettings
    strategies: Sequence[ConfiguredStrategy]
    sources: Mapping[str, str]
    overrides: Mapping[str, Any]
    first: date
    last: date

    @property
    def code_versions(self) -> dict[str, str]:
        return {"trading_assets": version("trading-assets"), **{one.name: one.version for one in self.strategies}}

    @property
    def configuration(self) -> dict[str, Any]:
        """Every setting that decides trading, in plain JSON values."""
        return self.settings.trading_facts()

    @property
    def terms(self) -> Terms:
        """The account of a backfill of the same configuration that begins with the same session."""
        broker = self.settings.broker
        account = account_name(broker.kind, self.settings.fingerprint(), self.first)
        return Terms(account, broker.opening_cash_usd, rules_of(self.settings))


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
    return Plan(name or name_of(overrides), changed, strategies, sources, dict(overrides), record.first, record.last)


def name_of(overrides: Mapping[str, Any]) -> str:
    """`sma_crossover.fast=10,risk.allow_short=true`; `as-configured` without any."""
    parts = [
        f"{key.removeprefix('strategies.').replace('.parameters.', '.')}={json.dumps(value, default=str)}"
        for key, value in overrides.items()
    ]
    return ",".join(parts).replace(" ", "").replace('"', "") or "as-configured"


def identity(*facts: Any) -> str:
    """Sixteen hex digits of `facts`."""
    text = json.dumps(facts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:ID_DIGITS]


def backtest_id(plan: Plan, of_data: str, *belonging: Any) -> str:
    """What makes a backtest another one: its name, configuration, code, sessions and data, and the sweep it is of."""
    of_settings = plan.settings.fingerprint()
    code = (plan.code_versions, plan.sources)
    return identity(plan.name, of_settings, code, plan.first, plan.last, of_data, *belonging)


def run_journal(plan: Plan, record: MarketRecord) -> Journal:
    """The journal of `plan` over `record`. Raises StrategyError, and ContractBroken for a session without data."""
    try:
        return trade(record, record.targets(plan.strategies), plan.terms, plan.first, plan.last)
    except NothingStoredError as error:
        raise ContractBroken(str(error)) from error


def run_backtest(plan: Plan, record: MarketRecord, of_data: str, *belonging: Any) -> Result:
    """`plan` over `record`, whose hash is `of_data` (data_hash). Raises StrategyError and ContractBroken."""
    started_at = datetime.now(UTC)
    journal = run_journal(plan, record)
    return Result(
        backtest_id=backtest_id(plan, of_data, *belonging),
        plan=plan,
        data_hash=of_data,
        known_at=record.now,
        started_at=started_at,
        finished_at=datetime.now(UTC),
        summary=summarise(journal),
    )
