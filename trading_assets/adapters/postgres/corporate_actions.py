"""Schema `market`: corporate actions, stored as versions and read as they were known at a time.

What an action does to prices belongs in domain/market/adjust.py, what it does to a book in domain/execution.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from trading_assets.adapters.postgres.database import Database, Table, append_versions
from trading_assets.adapters.postgres.events import Topic, append_stored
from trading_assets.adapters.postgres.instruments import follow_actions
from trading_assets.adapters.postgres.records import select
from trading_assets.domain.market.corporate_actions import ActionKind, CorporateAction
from trading_assets.domain.market.sessions import NEW_YORK

if TYPE_CHECKING:
    import psycopg

TERMS = ("split_ratio", "amount_usd", "pay_date", "new_symbol", "share_ratio", "value_usd", "reason")
ACTIONS = Table("market.corporate_actions", key=("symbol", "ex_date", "kind", "distributed_symbol"), compared=TERMS)


def store_actions(connection: psycopg.Connection, actions: Sequence[CorporateAction], source: str) -> int:
    """Store the actions that are new or changed; returns how many."""
    columns = (*ACTIONS.key, *TERMS, "response_id", "source")
    rows = (
        (
            a.symbol,
            a.ex_date,
            str(a.kind),
            a.new_symbol if a.kind is ActionKind.SPIN_OFF else "",
            _float(a.split_ratio),
            _float(a.amount_usd),
            a.pay_date,
            a.new_symbol,
            _float(a.share_ratio),
            _float(a.value_usd),
            a.reason,
            a.response_id,
            source,
        )
        for a in actions
    )
    written = append_versions(connection, ACTIONS, columns, rows)
    follow_actions(connection, actions, source)
    append_stored(connection, Topic.CORPORATE_ACTIONS_STORED, ACTIONS.name, written, source)
    return written


def actions_as_of(database: Database, knowledge_time: datetime, symbols: Sequence[str]) -> list[CorporateAction]:
    """The actions in force at `knowledge_time`, by symbol and ex-date.

    The first version of an action counts from the midnight in New York that begins its ex-date, a later version from
    the moment it was stored.
    """
    with database.transaction() as connection:
        return select(
            connection,
            CorporateAction,
            "select distinct on (symbol, ex_date, kind, distributed_symbol) symbol, ex_date, kind, "
            "split_ratio::numeric, amount_usd::numeric, pay_date, new_symbol, share_ratio::numeric, "
            "value_usd::numeric, reason from market.corporate_actions "
            "where symbol = any(%(symbols)s) and ex_date <= %(today)s "
            "and (version = 1 or known_at <= %(knowledge_time)s) "
            "order by symbol, ex_date, kind, distributed_symbol, version desc",
            symbols=list(symbols),
            today=knowledge_time.astimezone(NEW_YORK).date(),
            knowledge_time=knowledge_time,
        )


def _float(number: Decimal | None) -> float | None:
    return None if number is None else float(number)
