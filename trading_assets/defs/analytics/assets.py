"""Performance and reports of the account that traded last. What a figure means is the domain's business."""

import hashlib
from datetime import date

import dagster as dg

from trading_assets.adapters.ports import Clock
from trading_assets.adapters.postgres import analytics
from trading_assets.adapters.postgres.database import Database
from trading_assets.defs.materialization import table_result
from trading_assets.defs.partitions import SESSIONS, session_range
from trading_assets.settings import TradingSettings, load_environment

GROUP = "analytics"


@dg.asset(
    key=["analytics", "performance"],
    deps=[["execution", "positions"]],
    partitions_def=SESSIONS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    kinds={"python", "postgres"},
    group_name=GROUP,
)
def performance(context, database: dg.ResourceParam[Database], clock: dg.ResourceParam[Clock]) -> dg.MaterializeResult:
    """Returns, drawdown and risk figures as of each session, over all sessions since the account's first."""
    first, last = session_range(context, clock)
    with database.transaction() as connection:
        account = analytics.reported_account(connection)
        rows = performance_rows(database, account.account_id, first, last)
        written = analytics.write_performance(connection, rows)
    return table_result(database, "analytics.performance", first, last, written)


@dg.asset(
    key=["analytics", "reports"],
    deps=[
        ["analytics", "performance"],
        ["execution", "positions"],
        ["execution", "fills"],
        ["risk", "approved_orders"],
        ["risk", "portfolio_risk"],
    ],
    partitions_def=SESSIONS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    kinds={"python", "html"},
    group_name=GROUP,
)
def reports(
    context,
    database: dg.ResourceParam[Database],
    clock: dg.ResourceParam[Clock],
    settings: dg.ResourceParam[TradingSettings],
) -> dg.MaterializeResult:
    """One self-contained HTML file as of the last session of the range that the account lived through."""
    from trading_assets.adapters.report import preview, render
    from trading_assets.adapters.report_style import replace_file

    first, last = session_range(context, clock)
    data = report_data(database, settings.universe, last, settings.is_survivorship_biased)
    session = data.sessions[-1]
    html = render(data).encode()
    path = load_environment().home.resolve() / "reports" / data.account_id / f"{session}.html"
    replace_file(path, html)
    with database.transaction() as connection:
        written = analytics.write_report(
            connection, data.account_id, session, str(path), hashlib.sha256(html).hexdigest()
        )
    result = table_result(database, "analytics.reports", first, last, written)
    return dg.MaterializeResult(
        metadata={
            **result.metadata,
            "report": dg.MetadataValue.path(str(path)),
            "link": dg.MetadataValue.url(path.as_uri()),
            "summary": dg.MetadataValue.md(preview(data)),
        }
    )


def performance_rows(database: Database, account_id: str, first: date, last: date) -> list[tuple]:
    """Rows of analytics.performance for the account's sessions in first..last, counted since its inception."""
    import numpy as np

    from trading_assets.domain.performance.metrics import metrics_as_of_each_session
    from trading_assets.domain.performance.returns import time_weighted_returns

    daily = analytics.daily_equity(database, account_id, last)
    equity = daily["equity_usd"].to_numpy()
    exposure = np.divide(daily["gross_usd"].to_numpy(), equity, out=np.zeros(len(equity)), where=equity > 0)
    frame = metrics_as_of_each_session(time_weighted_returns(equity, daily["flow_usd"].to_numpy()), exposure)
    ratios = ("return", "total_return", "drawdown", "cagr", "volatility", "max_drawdown", "exposure")
    frame[list(ratios)] *= 100
    frame = frame.rename(columns={name: f"{name}_pct" for name in ratios})
    frame.insert(0, "equity_usd", equity)
    frame = frame[list(analytics.PERFORMANCE_COLUMNS[2:])].astype(object)
    frame = frame.where(frame.notna(), None)
    return [
        (account_id, session, *row)
        for session, row in zip(daily["session_date"], frame.itertuples(index=False), strict=True)
        if session >= first
    ]


def report_data(database: Database, universe: tuple[str, ...], until: date, is_survivorship_biased: bool = True):
    """Everything a report of the current account shows, up to session `until`."""
    import numpy as np

    from trading_assets.adapters.errors import NotFound
    from trading_assets.adapters.postgres.portfolio_risk import forecasts_at_closes
    from trading_assets.adapters.report import ReportData
    from trading_assets.adapters.report_value_at_risk import VarForecasts
    from trading_assets.domain.execution.ledger import FEE_KINDS, Activity, ActivityKind, Fill
    from trading_assets.domain.performance.returns import time_weighted_returns
    from trading_assets.domain.performance.round_trips import round_trips
    from trading_assets.domain.values import Side

    with database.transaction() as connection:
        account = analytics.reported_account(connection)
        records = analytics.ledger_records(connection, account.account_id, until)
        stopped = analytics.denials(connection, account.account_id, until)
        measured = forecasts_at_closes(connection, account.account_id, until)
    daily = analytics.daily_equity(database, account.account_id, until)
    if daily.empty:
        raise NotFound(f"Account {account.account_id} has lived through no session up to {until}: nothing to report.")
    sessions = daily["session_date"].tolist()
    equity, flows = daily["equity_usd"].to_numpy(), daily["flow_usd"].to_numpy()
    profit = analytics.strategy_profit(database, account.account_id, until)
    by_strategy = profit.pivot_table(index="session_date", columns="strategy", values="profit_usd").reindex(sessions)
    fills = [record for record in records if isinstance(record, Fill)]
    activities = [record for record in records if isinstance(record, Activity)]
    return ReportData(
        account_id=account.account_id,
        broker=account.broker,
        fingerprint=account.fingerprint,
        universe=universe,
        is_survivorship_biased=is_survivorship_biased,
        sessions=sessions,
        equity_usd=equity,
        flows_usd=flows,
        returns=time_weighted_returns(equity, flows),
        benchmark_returns=analytics.buy_and_hold_returns(database, universe, sessions),
        exposure=np.divide(daily["gross_usd"].to_numpy(), equity, out=np.zeros(len(equity)), where=equity > 0),
        strategy_profit_usd={str(name): by_strategy[name].ffill().fillna(0).to_numpy() for name in by_strategy.columns},
        round_trips=round_trips(records),
        denials=stopped,
        bought_usd=float(sum(fill.qty * fill.price for fill in fills if fill.side is Side.BUY)),
        sold_usd=float(sum(fill.qty * fill.price for fill in fills if fill.side is Side.SELL)),
        fees_usd=float(-sum(each.amount_usd for each in activities if each.kind in FEE_KINDS)),
        dividends_usd=float(sum(each.amount_usd for each in activities if each.kind is ActivityKind.DIVIDEND)),
        var_forecasts=VarForecasts.of(sessions, measured),
    )
