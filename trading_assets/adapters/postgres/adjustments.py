"""What persons do about breaks: once a break, with a name and a reason. What it books is the domain's business."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, LiteralString

from trading_assets.adapters.errors import ContractBroken, NotFound
from trading_assets.adapters.postgres import ledger
from trading_assets.adapters.postgres.reconciliations import OpenBreak, listed_breaks
from trading_assets.adapters.postgres.records import select
from trading_assets.domain.execution.adjustments import PriceMissingError, adjustment
from trading_assets.domain.execution.bookings import EXECUTION_DETAIL, SOURCE_DETAIL
from trading_assets.domain.execution.ledger import Activity, Fill, Record
from trading_assets.domain.journal import Journal

if TYPE_CHECKING:
    import psycopg


@dataclass(frozen=True, slots=True)
class Adjusted:
    """The break, and the ids of what was booked for it; none: it was accepted as it is."""

    found: OpenBreak
    activity_ids: tuple[str, ...]


def adjust_break(
    connection: psycopg.Connection,
    account_id: str,
    break_id: str,
    by: str,
    why: str,
    at: datetime,
    price: Decimal | None = None,
) -> Adjusted:
    """A person adjusts, at `at` (UTC), the open break whose id begins with `break_id`; a second time changes nothing.

    `price` is what one share is worth, raw USD, for a difference in shares. Raises NotFound unless there is exactly one
    such break, and ContractBroken without a name, a reason, or a price that is needed, and while another booking waits
    for its comparison: the same cause can show as several breaks.
    """
    if not by.strip() or not why.strip():
        raise ContractBroken("A break is adjusted by a person with a reason: give --by and --why.")
    ledger.lock_ledger(connection)
    matching = [one for one in listed_breaks(connection, account_id) if one.break_id.startswith(break_id)]
    if len(matching) != 1:
        raise NotFound(f"{len(matching) or 'No'} open breaks of account {account_id} begin with {break_id}.")
    (found,) = matching
    row = connection.execute(_ADJUSTED, {"account_id": account_id, "break_id": found.break_id}).fetchone()
    if row is not None:
        return Adjusted(found, tuple(row[0]))
    try:
        made = adjustment(found.found, account_id, at, _booked(connection, account_id, found.subject), price)
    except PriceMissingError as error:
        raise ContractBroken(f"{error} Give --price, in USD.") from error
    if made and connection.execute(_UNCOMPARED, {"account_id": account_id}).rowcount:
        raise ContractBroken(
            "An adjustment was booked since the newest comparison, and may have been for the same cause: "
            "run `trading reconcile` first."
        )
    ledger.record(connection, Journal(activities=made))
    ids = [one.activity_id for one in made]
    connection.execute(
        "insert into execution.adjustments (account_id, break_id, kind, at, adjusted_by, why, activity_ids) "
        "values (%s, %s, %s, %s, %s, %s, %s)",
        (account_id, found.break_id, found.kind, at, by.strip(), why.strip(), ids),
    )
    return Adjusted(found, tuple(ids))


def _booked(connection: psycopg.Connection, account_id: str, subject: str) -> list[Record]:
    """What the ledger holds of an execution, or of a record of the broker's."""
    known = {"account_id": account_id, "subject": subject, "execution": EXECUTION_DETAIL, "source": SOURCE_DETAIL}
    return [*select(connection, Fill, _FILLS, **known), *select(connection, Activity, _ACTIVITIES, **known)]


_ADJUSTED: LiteralString = """
    select activity_ids from execution.adjustments where account_id = %(account_id)s and break_id = %(break_id)s
"""
_UNCOMPARED: LiteralString = """
    select from execution.adjustments join execution.newest_reconciliations as newest using (account_id)
    where account_id = %(account_id)s and activity_ids <> '{}' and adjustments.recorded_at > newest.recorded_at
"""
_FILLS: LiteralString = """
    select execution_id, client_order_id, account_id, strategy, symbol, side, qty, price, filled_at, booked_at,
           session_date
    from execution.fills where account_id = %(account_id)s and execution_id = %(subject)s
"""
_ACTIVITIES: LiteralString = """
    select activity_id, account_id, kind, at, settles_on, session_date, strategy, symbol, qty_delta, amount_usd, detail
    from execution.activities
    where account_id = %(account_id)s and kind <> 'bust'
      and %(subject)s in (detail ->> %(execution)s, detail ->> %(source)s)
    order by activity_id
"""
