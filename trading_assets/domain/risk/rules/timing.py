"""Whether now is the time: approval and prices are fresh, the exchange takes the order, and somebody watches."""

from __future__ import annotations

from trading_assets.domain.risk.rules.ruling import Count, Flag, Ruling


def approval(approval_age_s: Count, approval_ttl: Count, orders_of_intent: Count) -> Ruling:
    """RC-02: an approval is used once, and within its time. While the intent is reviewed it has none, and no age."""
    is_valid = approval_age_s <= approval_ttl and orders_of_intent < 1
    return Ruling(is_valid, approval_age_s, approval_ttl, 0)


def newest_bar(bars_behind: Count) -> Ruling:
    """RC-04: no bar has closed since the one that was decided on."""
    return Ruling(bars_behind < 1, bars_behind, 1, 0)


def reference_age(reference_age_s: Count, max_reference_age_s: Count) -> Ruling:
    """RC-04: seconds of trading since the close that is the reference price."""
    return Ruling(reference_age_s <= max_reference_age_s, reference_age_s, max_reference_age_s, 0)


def before_cut_off(seconds_to_cut_off: Count, cut_off_margin_s: Count) -> Ruling:
    """RC-05: there is still time to send the order for the auction or the session that it is meant for."""
    return Ruling(seconds_to_cut_off >= cut_off_margin_s, seconds_to_cut_off, cut_off_margin_s, 0)


def clock_skew(is_at_broker: Flag, clock_skew_ms: Count, max_clock_skew_ms: Count) -> Ruling:
    """RC-05: milliseconds between our clock and the broker's, in either direction. A simulated broker has none."""
    is_within = abs(clock_skew_ms) <= max_clock_skew_ms
    return Ruling(is_within or not is_at_broker, clock_skew_ms, max_clock_skew_ms, 0)


def heartbeat(is_at_broker: Flag, heartbeat_age_s: Count, max_heartbeat_age_s: Count) -> Ruling:
    """RC-29: seconds since whoever watches the account's risk gave a sign of life. A simulated one needs nobody."""
    is_fresh = heartbeat_age_s <= max_heartbeat_age_s
    return Ruling(is_fresh or not is_at_broker, heartbeat_age_s, max_heartbeat_age_s, 0)


def reconciliation(is_at_broker: Flag, reconciliation_age_s: Count, max_reconciliation_age_s: Count) -> Ruling:
    """RC-29: seconds since our record was last found to be the broker's. A simulated account has one record."""
    is_fresh = reconciliation_age_s <= max_reconciliation_age_s
    return Ruling(is_fresh or not is_at_broker, reconciliation_age_s, max_reconciliation_age_s, 0)


def connection(is_at_broker: Flag, connection_age_s: Count, max_connection_age_s: Count) -> Ruling:
    """RC-29: seconds since the broker's stream and its answers were both well. A simulated broker has neither."""
    is_fresh = connection_age_s <= max_connection_age_s
    return Ruling(is_fresh or not is_at_broker, connection_age_s, max_connection_age_s, 0)
