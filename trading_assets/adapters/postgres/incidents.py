"""Incidents of accounts at a broker as persons see them: which are open, and closing one with a name and a reason.

What opens one is the business of those who book; see `open_incidents_for` in broker_orders.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, LiteralString

from trading_assets.adapters.errors import ContractBroken, NotFound
from trading_assets.adapters.postgres.records import select

if TYPE_CHECKING:
    import psycopg


@dataclass(frozen=True, slots=True)
class OpenIncident:
    """`symbol` is None where the whole account is concerned; `at` is UTC."""

    incident_id: str
    kind: str
    subject: str
    symbol: str | None
    at: datetime


def open_incidents(connection: psycopg.Connection, account_id: str) -> list[OpenIncident]:
    """The incidents of the account that nobody has closed, oldest first."""
    return select(connection, OpenIncident, _OPEN, account_id=account_id)


def close_incident(
    connection: psycopg.Connection, account_id: str, incident_id: str, by: str, why: str, at: datetime
) -> OpenIncident:
    """A person closes the open incident whose id begins with `incident_id`.

    Raises NotFound unless there is exactly one, and ContractBroken without a name or a reason.
    """
    if not by.strip() or not why.strip():
        raise ContractBroken("An incident is closed by a person with a reason: give --by and --why.")
    found = [one for one in open_incidents(connection, account_id) if one.incident_id.startswith(incident_id)]
    if len(found) != 1:
        raise NotFound(f"{len(found) or 'No'} open incidents of account {account_id} begin with {incident_id}.")
    connection.execute(
        "insert into execution.incident_closings (incident_id, at, closed_by, why) values (%s, %s, %s, %s)",
        (found[0].incident_id, at, by.strip(), why.strip()),
    )
    return found[0]


_OPEN: LiteralString = """
    select incident_id, kind, subject, symbol, at from execution.open_incidents
    where account_id = %(account_id)s order by at, incident_id
"""
