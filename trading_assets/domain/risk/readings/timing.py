"""Readings of the hour: how old things are, and how much time is left."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from trading_assets.domain.market.trading_time import trading_time
from trading_assets.domain.risk.activity import SECOND
from trading_assets.domain.risk.inputs import InputMissingError
from trading_assets.domain.risk.readings.circumstances import circumstances, terms_of
from trading_assets.domain.risk.rules.prices import PLACEMENT, Placement
from trading_assets.domain.risk.rules.ruling import Count, Flag

if TYPE_CHECKING:
    from trading_assets.domain.risk.case import Case, Standing


def approval_age_s(standing: Standing) -> Count:
    """Seconds since the order was approved; 0 while it is reviewed."""
    approved_at = circumstances(standing).approved_at
    return 0 if approved_at is None else _age_s(standing, approved_at)


def reference_age_s(standing: Standing) -> Count:
    """Seconds of trading since the reference prices."""
    return _seconds(trading_time(circumstances(standing).reference_at, standing.snapshot.at))


def placement(case: Case) -> Placement:
    """Whether orders of this kind are taken at this hour."""
    return PLACEMENT.words.index(terms_of(case).placement)


def seconds_to_cut_off(case: Case) -> Count:
    """Seconds left to send the order in."""
    return (terms_of(case).cut_off_at - case.snapshot.at) // SECOND


def is_at_broker(standing: Standing) -> Flag:
    """Whether the account is at a real broker."""
    return circumstances(standing).link is not None


def clock_skew_ms(standing: Standing) -> Count:
    """Our clock less the broker's; 0 at a simulated broker."""
    link = circumstances(standing).link
    if link is None:
        return 0
    if link.clock_skew_ms is None:
        raise InputMissingError("clock_skew_ms")
    return link.clock_skew_ms


def heartbeat_age_s(standing: Standing) -> Count:
    """Seconds since the watch over the account's risk gave a sign of life; 0 at a simulated broker."""
    link = circumstances(standing).link
    return 0 if link is None else _age_s(standing, link.heartbeat_at, "heartbeat_at")


def reconciliation_age_s(standing: Standing) -> Count:
    """Seconds since the last reconciliation without a difference; 0 at a simulated broker."""
    link = circumstances(standing).link
    return 0 if link is None else _age_s(standing, link.reconciled_at, "reconciled_at")


def connection_age_s(standing: Standing) -> Count:
    """Seconds since the broker's stream and its answers were both well; 0 at a simulated broker."""
    link = circumstances(standing).link
    return 0 if link is None else _age_s(standing, link.connected_at, "connected_at")


def bars_behind(case: Case) -> Count:
    """1 when a bar has closed since the one that was decided on, else 0."""
    return int(circumstances(case).newest_close > case.intent.decision_at)


def _age_s(standing: Standing, since: datetime | None, name: str = "approved_at") -> int:
    if since is None:
        raise InputMissingError(name)
    return _seconds(standing.snapshot.at - since)


def _seconds(age: timedelta) -> int:
    """Rounded up: what is a moment too old is too old."""
    return -(-age // SECOND)


OF_ACCOUNT = (
    approval_age_s,
    reference_age_s,
    is_at_broker,
    clock_skew_ms,
    heartbeat_age_s,
    reconciliation_age_s,
    connection_age_s,
)
OF_ORDER = (placement, seconds_to_cut_off, bars_behind)
