"""The risk of the book as it stands, and the alerts of the limits it comes near. The review of orders is elsewhere."""

import dagster as dg

from trading_assets.adapters.ports import Clock
from trading_assets.adapters.postgres.database import Database
from trading_assets.defs.failures import one_line_failures
from trading_assets.defs.materialization import table_result
from trading_assets.defs.partitions import SESSIONS, session_range
from trading_assets.settings import TradingSettings, load_environment

GROUP = "risk"
KINDS = {"python", "postgres"}
PORTFOLIO_RISK = dg.AssetKey(["risk", "portfolio_risk"])
ALERTS = dg.AssetKey(["risk", "alerts"])
DASHBOARD = dg.AssetKey(["risk", "dashboard"])


@dg.asset(
    key=PORTFOLIO_RISK,
    deps=[["execution", "positions"], ["market", "bars"], ["market", "corporate_actions"], ["market", "instruments"]],
    partitions_def=SESSIONS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name=GROUP,
    kinds=KINDS,
    description="Exposure, beta, value at risk, its contributions, and stress of the book, at each measurement.",
)
def portfolio_risk(
    context: dg.AssetExecutionContext,
    database: dg.ResourceParam[Database],
    settings: dg.ResourceParam[TradingSettings],
    clock: dg.ResourceParam[Clock],
) -> dg.MaterializeResult:
    from trading_assets.defs.risk.risk_monitor import RiskMonitor

    first, last = session_range(context, clock)
    with one_line_failures():
        written = RiskMonitor(database, settings, clock.now()).measure(first, last)
    return table_result(database, "risk.portfolio_risk", first, last, written)


@dg.asset(
    key=ALERTS,
    deps=[PORTFOLIO_RISK],
    partitions_def=SESSIONS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name=GROUP,
    kinds=KINDS,
    description="Every change of how near the account is to a limit: near at 80 %, reached at 100 %, clear at 70 %.",
)
def alerts(
    context: dg.AssetExecutionContext,
    database: dg.ResourceParam[Database],
    settings: dg.ResourceParam[TradingSettings],
    clock: dg.ResourceParam[Clock],
) -> dg.MaterializeResult:
    from trading_assets.defs.risk.risk_monitor import RiskMonitor

    first, last = session_range(context, clock)
    with one_line_failures():
        written = RiskMonitor(database, settings, clock.now()).alert(first, last)
    return table_result(database, "risk.alert_events", first, last, written)


@dg.asset(
    key=DASHBOARD,
    deps=[
        dg.AssetDep(key, partition_mapping=dg.LastPartitionMapping())
        for key in (PORTFOLIO_RISK, ALERTS, dg.AssetKey(["risk", "approved_orders"]))
    ],
    group_name=GROUP,
    kinds={"python", "html"},
    description="One page: what stops trading now, each limit and how near it is, the risk of the book, and denials.",
)
def dashboard(
    database: dg.ResourceParam[Database],
    settings: dg.ResourceParam[TradingSettings],
    clock: dg.ResourceParam[Clock],
) -> dg.MaterializeResult:
    from trading_assets.adapters.postgres.risk_overview import risk_overview
    from trading_assets.adapters.report_style import replace_file
    from trading_assets.adapters.risk_page import render, summary

    with one_line_failures(), database.transaction() as connection:
        overview = risk_overview(connection, clock.now())
    actions = {name: chosen.action for name, chosen in settings.risk.breakers.items()}
    path = load_environment().home.resolve() / "reports" / overview.account.account_id / "risk.html"
    replace_file(path, render(overview, actions).encode())
    return dg.MaterializeResult(
        metadata={
            "page": dg.MetadataValue.path(str(path)),
            "link": dg.MetadataValue.url(path.as_uri()),
            "summary": dg.MetadataValue.md(summary(overview, actions)),
        }
    )
