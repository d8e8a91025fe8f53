"""The report of one backtest: what adapters/report.py shows, taken from a result instead of an account's ledger."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from trading_assets.adapters.backtests import Result, deflated_sharpe, report_path, sharpe_of
from trading_assets.adapters.report import BacktestFacts, ReportData, StrategyFacts, render
from trading_assets.adapters.report_style import replace_file
from trading_assets.domain.performance.returns import Floats
from trading_assets.domain.strategy.parameters import facts_of

BPS = 10_000


def backtest_report(result: Result, benchmark_returns: Floats, tried: Mapping[str, float]) -> ReportData:
    """What the report shows. `tried`: Sharpe ratios a year of what was tried of its strategies, by configuration."""
    plan, summary, figures = result.plan, result.summary, result.summary.figures
    settings = plan.settings
    all_tried = {**tried, plan.configuration_id: sharpe_of(result)}
    slippage_bps = float(settings.broker.slippage_bps)
    return ReportData(
        account_id=plan.terms.account_id,
        broker=settings.broker.kind,
        fingerprint=settings.fingerprint(),
        universe=settings.universe,
        is_survivorship_biased=settings.is_survivorship_biased,
        sessions=summary.sessions,
        equity_usd=np.array([float(equity) for equity in summary.equity_usd]),
        flows_usd=summary.flows_usd,
        returns=summary.returns,
        benchmark_returns=benchmark_returns,
        exposure=summary.exposure,
        strategy_profit_usd=summary.strategy_profit_usd,
        round_trips=summary.trips,
        denials=summary.denials,
        bought_usd=summary.bought_usd,
        sold_usd=summary.sold_usd,
        fees_usd=float(figures.fees_usd),
        dividends_usd=float(figures.dividends_usd),
        backtest=BacktestFacts(
            name=plan.name,
            backtest_id=result.backtest_id,
            data_hash=result.data_hash,
            strategies=[
                StrategyFacts(
                    one.name,
                    one.version,
                    plan.sources[one.name],
                    one.timeframe.value,
                    one.capital_weight,
                    facts_of(one.strategy.parameters),
                )
                for one in plan.strategies
            ],
            overrides=plan.overrides,
            tried=len(all_tried),
            psr=figures.psr,
            deflated_sharpe=deflated_sharpe(summary.returns, list(all_tried.values())),
            slippage_bps=slippage_bps,
            slippage_usd=(summary.bought_usd + summary.sold_usd) * slippage_bps / BPS,
        ),
    )


def write_report(data: ReportData, home: Path) -> Path:
    """Render the report of a backtest into its file below `home`, which is replaced as a whole."""
    assert data.backtest is not None  # noqa: S101  made by backtest_report
    path = report_path(home, data.backtest.backtest_id)
    replace_file(path, render(data).encode())
    return path
