"""How near the account is to its limits, and when that is worth telling: once a change, not once a measurement.

A use of 80 % of a limit warns, 100 % is a breach, and either stands until the use has fallen to 70 %: a value that
wobbles around a threshold is one message. What is measured, and who is told, is elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

WARN_AT, BREACH_AT, CLEAR_AT = Decimal("0.8"), Decimal(1), Decimal("0.7")
"""Shares of a limit. Values and limits are decimals, so that reaching a threshold to the last digit is reaching it."""


class AlertState(StrEnum):
    """UNKNOWN: the value cannot be measured, so that nobody knows how near the limit is."""

    CLEAR = "clear"
    WARNING = "warning"
    BREACHED = "breached"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class LimitCheck:
    """One limit at one moment `at` (UTC). `value` is None when `missing` says why; both numbers share a unit."""

    limit_name: str
    at: datetime
    session_date: date
    value: Decimal | None
    limit: Decimal
    detail: str = ""
    missing: str | None = None

    @property
    def usage(self) -> Decimal | None:
        """The used share of the limit."""
        return None if self.value is None else self.value / self.limit


@dataclass(frozen=True, slots=True)
class AlertEvent:
    """The state of one limit changed from `previous` to `state`. Two events in a row never have the same state."""

    account_id: str
    limit_name: str
    event_no: int
    state: AlertState
    previous: AlertState
    at: datetime
    session_date: date
    value: Decimal | None
    limit_value: Decimal
    detail: str


def next_state(state: AlertState, check: LimitCheck) -> AlertState:
    """The state after a check. A limit that was unknown is clear again only where a warning would be."""
    if check.value is None:
        return AlertState.UNKNOWN
    if check.value >= BREACH_AT * check.limit:
        return AlertState.BREACHED
    if check.value <= CLEAR_AT * check.limit:
        return AlertState.CLEAR
    if state is AlertState.BREACHED:
        return AlertState.BREACHED
    if state is not AlertState.CLEAR or check.value >= WARN_AT * check.limit:
        return AlertState.WARNING
    return AlertState.CLEAR


def changes(account_id: str, checks: Iterable[LimitCheck], newest: Mapping[str, AlertEvent]) -> list[AlertEvent]:
    """The events that `checks` cause, in order of time, after the `newest` recorded event of each limit.

    A limit without an event is clear. A check that is not later than the newest event of its limit was judged before:
    what people were told stays as it is.
    """
    last = dict(newest)
    events = []
    for check in sorted(checks, key=lambda one: (one.at, one.limit_name)):
        before = last.get(check.limit_name)
        if before is not None and check.at <= before.at:
            continue
        state = before.state if before is not None else AlertState.CLEAR
        after = next_state(state, check)
        if after is state:
            continue
        event = AlertEvent(
            account_id=account_id,
            limit_name=check.limit_name,
            event_no=before.event_no + 1 if before is not None else 1,
            state=after,
            previous=state,
            at=check.at,
            session_date=check.session_date,
            value=check.value,
            limit_value=check.limit,
            detail=check.missing or check.detail,
        )
        last[check.limit_name] = event
        events.append(event)
    return events
