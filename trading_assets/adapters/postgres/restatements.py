"""What sources told differently later, and who had decided on the old values: the views of the schema `analytics`.

The rule that decides who used a value stands beside the views, in migration 0011.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trading_assets.adapters.postgres.records import rows

if TYPE_CHECKING:
    import psycopg


def restated_datasets(connection: psycopg.Connection) -> list[dict[str, Any]]:
    """One row a dataset: how many values and symbols, the largest change in bps (None: no number), the newest one."""
    return rows(
        connection,
        "select dataset, count(*) as restated_values, count(distinct symbol) as symbols, "
        "round(max(abs(change_bps))::numeric, 2) as largest_change_bps, max(known_at) as newest_known_at "
        "from analytics.restatements group by dataset order by dataset",
    )


def newest_restatements(connection: psycopg.Connection, limit: int) -> list[dict[str, Any]]:
    """The restated values that became known last, newest first; those of one moment by symbol and fact."""
    return rows(
        connection,
        "select dataset, symbol, fact, column_name, old_value, new_value, "
        "round(change_bps::numeric, 2) as change_bps, known_at, old_source, source "
        "from analytics.restatements order by known_at desc, symbol, fact, column_name limit %(limit)s",
        limit=limit,
    )


def affected_decisions(connection: psycopg.Connection) -> list[dict[str, Any]]:
    """Decisions whose inputs were restated later, counted by strategy, symbol, kind of decision and dataset."""
    return rows(
        connection,
        # A decision that several restatements concern counts once.
        "select strategy, symbol, decision, dataset, count(*) as decisions, min(decision_at) as first_decision_at, "
        "max(decision_at) as last_decision_at, max(newest_known_at) as newest_known_at "
        "from (select strategy, symbol, decision, dataset, decision_at, max(counted_until) as newest_known_at "
        "from analytics.decisions_on_restated_values group by strategy, strategy_version, symbol, decision, dataset, "
        "decision_at, intent_id, client_order_id) as affected "
        "group by strategy, symbol, decision, dataset order by strategy, symbol, decision, dataset",
    )
