"""The trading session: approved orders, orders, fills and positions of one account, as one asset with four outputs.

Over a past range, all four selected, it walks time through every bar close: that is the backfill, and the backtest.
The live jobs select one phase each, for the current session only. What the phases do belongs to the desks: at a real
broker a past range is read from the broker's records again, and nothing is decided or sent.
"""

from collections.abc import Iterator
from datetime import date, datetime

import dagster as dg

from trading_assets.adapters.ports import Broker, Clock
from trading_assets.adapters.postgres.database import Database
from trading_assets.defs.execution.broker_desk import BrokerDesk
from trading_assets.defs.execution.desk import Desk, Outcomes
from trading_assets.defs.execution.trading_desk import TradingDesk
from trading_assets.defs.failures import one_line_failures
from trading_assets.defs.materialization import table_result
from trading_assets.defs.partitions import SESSIONS, session_range
from trading_assets.domain.market.sessions import newest_session
from trading_assets.settings import TradingSettings

APPROVED_ORDERS = dg.AssetKey(["risk", "approved_orders"])
ORDERS = dg.AssetKey(["execution", "orders"])
FILLS = dg.AssetKey(["execution", "fills"])
POSITIONS = dg.AssetKey(["execution", "positions"])

TABLES = {
    APPROVED_ORDERS: "risk.verdicts",
    ORDERS: "execution.orders",
    FILLS: "execution.fills",
    POSITIONS: "execution.positions",
}
KINDS = {"python", "postgres"}


@dg.multi_asset(
    name="trading_session",
    specs=[
        dg.AssetSpec(
            APPROVED_ORDERS,
            deps=[dg.AssetKey(["strategy", "targets"])],
            group_name="risk",
            kinds=KINDS,
            description="Every intent with risk's verdict, the answer of each rule, and the approvals.",
        ),
        dg.AssetSpec(
            ORDERS,
            deps=[APPROVED_ORDERS],
            group_name="execution",
            kinds=KINDS,
            description="One order for each approval that was used, and everything that happened to it.",
        ),
        dg.AssetSpec(
            FILLS,
            deps=[ORDERS, dg.AssetKey(["market", "bars"]), dg.AssetKey(["market", "corporate_actions"])],
            group_name="execution",
            kinds=KINDS,
            description="Executions of the orders, in whole or in part, at raw prices.",
        ),
        dg.AssetSpec(
            POSITIONS,
            # Not on its own previous session: a backfill by the daemon would then put positions into a run of their
            # own, after the other three. The order of sessions is kept by the trading desk.
            deps=[FILLS],
            group_name="execution",
            kinds=KINDS,
            description="The fold of the ledger at each bar close: positions, cash, equity, fees, dividends.",
        ),
    ],
    can_subset=True,
    pool="execution",
    partitions_def=SESSIONS,
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def trading_session(
    context: dg.AssetExecutionContext,
    database: dg.ResourceParam[Database],
    settings: dg.ResourceParam[TradingSettings],
    clock: dg.ResourceParam[Clock],
    broker: dg.ResourceParam[Broker],
) -> Iterator[dg.MaterializeResult]:
    first, last = session_range(context, clock)
    selected = [key for key in TABLES if key in context.selected_asset_keys]
    with one_line_failures():
        desk: Desk = (
            TradingDesk(database, settings, clock.now())
            if settings.broker.kind == "simulated"
            else BrokerDesk(database, settings, clock.now(), broker, clock, context.run_id, context.log.info)
        )
        is_replayed = selected == list(TABLES) or (desk.rereads_the_past and _is_past_market(selected, last, desk.now))
        outcomes = [desk.replay(first, last)] if is_replayed else _live_phases(desk, selected, first, last)
    for key in selected:
        result = table_result(database, TABLES[key], first, last, sum(each.written[TABLES[key]] for each in outcomes))
        yield dg.MaterializeResult(asset_key=key, metadata={**result.metadata, **_facts(outcomes)})


def _is_past_market(selected: list[dg.AssetKey], last: date, now: datetime) -> bool:
    """Whether only fills and positions of sessions that are over are asked for."""
    return not {APPROVED_ORDERS, ORDERS} & set(selected) and last < newest_session(now)


def _live_phases(desk: Desk, selected: list[dg.AssetKey], first: date, last: date) -> list[Outcomes]:
    _require_current(first, last, desk.now)
    outcomes = []
    if FILLS in selected or POSITIONS in selected:
        outcomes.append(desk.take_fills(last))
    if APPROVED_ORDERS in selected:
        outcomes.append(desk.decide(last))
    if ORDERS in selected:
        outcomes.append(desk.submit(last))
    return outcomes


def _require_current(first: date, last: date, now: datetime) -> None:
    """A single phase of a session that is over would decide or send today what belonged to another day."""
    current = newest_session(now)
    if first != current or last != current:
        raise dg.Failure(
            f"Sessions {first} to {last} are over: one phase alone runs only for the current session, {current}. "
            "To replay the past select risk/approved_orders, execution/orders, execution/fills and "
            "execution/positions together.",
            allow_retries=False,
        )


def _facts(outcomes: list[Outcomes]) -> dict[str, dg.MetadataValue]:
    refused = [line for each in outcomes for line in each.refused]
    facts: dict[str, dg.MetadataValue] = {"account": dg.MetadataValue.text(outcomes[-1].account_id)}
    if refused:
        facts["refused_at_submission"] = dg.MetadataValue.md("\n".join(f"- {line}" for line in refused))
    return facts
