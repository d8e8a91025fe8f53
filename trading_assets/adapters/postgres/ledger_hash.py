"""One hash over everything an account decided and did: the same hash means the same history, to the last digit."""

from __future__ import annotations

import hashlib

import psycopg
from psycopg import sql

from trading_assets.adapters.errors import NotFound
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.ledger import current_account

# No run id and no wall-clock time takes part: recorded_at, and the times of approvals, differ from run to run.
PARTS = {
    "verdicts": (
        "select intent_id, strategy, strategy_version, symbol, side, purpose, leg, decision_at, session_date, "
        "target_weight, requested_qty, approved_qty, outcome, reason_codes, reference_price, equity_usd "
        "from risk.verdicts where account_id = {account} order by intent_id"
    ),
    "checks": (
        "select intent_id, rule_id, is_passed, reason_code, value, limit_value, allowed_qty, inputs "
        "from risk.verdict_checks join risk.verdicts using (intent_id) where account_id = {account} "
        "order by intent_id, rule_id"
    ),
    "approvals": (
        "select intent_id, qty from risk.approvals join risk.verdicts using (intent_id) where account_id = {account} "
        "order by intent_id"
    ),
    "breaker_events": (
        "select breaker, event_no, state, at, session_date, cause, cleared_by, why from risk.breaker_events "
        'where account_id = {account} order by breaker collate "C", event_no'
    ),
    "orders": (
        "select client_order_id, intent_id, attempt, strategy, strategy_version, symbol, side, qty, order_type, "
        "time_in_force, limit_price, stop_price, submitted_at, session_date "
        "from execution.orders where account_id = {account} order by client_order_id"
    ),
    "order_events": (
        "select client_order_id, event_no, status, e.qty, at, e.session_date, detail "
        "from execution.order_events as e join execution.orders using (client_order_id) "
        "where account_id = {account} order by client_order_id, event_no"
    ),
    "fills": (
        "select execution_id, client_order_id, strategy, symbol, side, qty, price, filled_at, booked_at, session_date "
        "from execution.fills where account_id = {account} order by execution_id"
    ),
    "activities": (
        "select activity_id, strategy, symbol, kind, qty_delta, amount_usd, at, settles_on, session_date, detail "
        "from execution.activities where account_id = {account} order by activity_id"
    ),
    "positions": (
        "select session_date, strategy, symbol, as_of, qty, avg_cost_usd, mark_price, value_usd, realised_usd, "
        "unrealised_usd from execution.positions where account_id = {account} "
        'order by session_date, strategy collate "C", symbol collate "C"'
    ),
    "equity": (
        "select at, session_date, cash_usd, receivable_usd, positions_usd, equity_usd, realised_usd, unrealised_usd, "
        "dividends_usd, fees_usd, flows_usd, high_water_mark_usd from execution.equity where account_id = {account} "
        "order by at"
    ),
    "order_groups": (
        "select client_order_id, order_class, group_id, parent_order_id, entry_offset_pct, trail_usd, trail_pct, "
        "replaces_order_id from execution.orders where account_id = {account} and (order_class <> 'simple' or "
        "num_nonnulls(group_id, parent_order_id, entry_offset_pct, trail_usd, trail_pct, replaces_order_id) > 0) "
        "order by client_order_id"
    ),
    "sizes": (
        "select intent_id, sizing, sizing_inputs from risk.verdicts where account_id = {account} "
        "and (sizing <> 'fixed_fractional' or sizing_inputs <> '{{}}') order by intent_id"
    ),
    "trail_marks": (
        "select client_order_id, at, marks.session_date, mark_price "
        "from execution.trail_marks as marks join execution.orders using (client_order_id) "
        "where account_id = {account} order by client_order_id, at"
    ),
}
# They came later: where they have no rows, the hash is what it was before they existed.
ONLY_WITH_ROWS = {"order_groups", "sizes", "trail_marks"}


def ledger_hash(database: Database, account_id: str | None = None) -> str:
    """64 hex digits over one account's verdicts, orders, fills, positions and equity.

    Without `account_id` it is the account that traded last. Raises NotFound when nothing has traded yet.
    """
    with database.transaction() as connection:
        account_id = account_id or current_account(connection)
        if account_id is None:
            raise NotFound("No account has traded yet: run `make demo` or `trading backfill` first.")
        return account_hash(connection, account_id)


def account_hash(connection: psycopg.Connection, account_id: str) -> str:
    """The hash of one account as the transaction of `connection` sees it."""
    digest = hashlib.sha256()
    connection.execute("set local timezone = 'UTC'")
    connection.execute("set local datestyle = 'ISO'")
    for name, query in PARTS.items():
        heading = name.encode()
        if name not in ONLY_WITH_ROWS:
            digest.update(heading)
            heading = b""
        text = sql.SQL("copy (" + query + ") to stdout").format(account=sql.Literal(account_id))
        with connection.cursor().copy(text) as rows:
            for chunk in rows:
                digest.update(heading + bytes(chunk))
                heading = b""
    return digest.hexdigest()
