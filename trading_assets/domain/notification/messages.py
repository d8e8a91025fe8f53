"""What a person is told: one event becomes one message with a severity, a subject and a text. Sending is elsewhere.

The same fact always becomes the same message id, so telling it twice is one message.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from hashlib import sha256

from trading_assets.domain.execution.breaks import Break
from trading_assets.domain.execution.ledger import Fill
from trading_assets.domain.market.sessions import session
from trading_assets.domain.risk.alerts import BREACH_AT, CLEAR_AT, WARN_AT, AlertEvent, AlertState
from trading_assets.domain.risk.trading_states import StateChange
from trading_assets.domain.risk.verdicts import TradingState, Verdict

CENT = Decimal("0.01")


class MessageSeverity(StrEnum):
    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        return list(MessageSeverity).index(self)


_ALERT_SEVERITY = {
    AlertState.CLEAR: MessageSeverity.INFO,
    AlertState.WARNING: MessageSeverity.WARNING,
    AlertState.BREACHED: MessageSeverity.CRITICAL,
    AlertState.UNKNOWN: MessageSeverity.WARNING,
}
_ALERT_WORDS = {
    AlertState.CLEAR: "Limit clear again",
    AlertState.WARNING: "Limit near",
    AlertState.BREACHED: "Limit reached",
    AlertState.UNKNOWN: "Limit not measurable",
}


@dataclass(frozen=True, slots=True)
class Message:
    """`message_id` is 64 hex digits, `subject` one line, `occurred_at` the time of the fact in UTC."""

    message_id: str
    event: str
    severity: MessageSeverity
    subject: str
    body: str
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class Channel:
    """One way to reach a person and what is worth it.

    `max_age`: facts older than this when they were recorded are not told, so that a backfill wakes nobody.
    """

    name: str
    min_severity: MessageSeverity = MessageSeverity.INFO
    max_age: timedelta | None = None


def order_denied(verdict: Verdict) -> Message:
    """Risk let nothing of an intent through."""
    intent = verdict.intent
    codes = ", ".join(verdict.reason_codes)
    lines = [
        f"Strategy {intent.strategy} wanted to {intent.side} {_plain(intent.qty)} {intent.symbol} ({intent.purpose}).",
        f"Risk denied it: {codes}.",
        "",
        *(
            f"{check.rule_id}: value {_number(check.value)}, limit {_number(check.limit)}"
            for check in verdict.checks
            if not check.is_passed
        ),
        "",
        f"Decision at {_time(intent.decision_at)}, account {intent.account_id}, intent {intent.intent_id}.",
    ]
    subject = f"Denied: {intent.side} {_plain(intent.qty)} {intent.symbol} ({codes})"
    return _message("order_denied", (intent.intent_id,), MessageSeverity.WARNING, subject, lines, intent.decision_at)


def breaker_tripped(
    account_id: str, breaker: str, event_no: int, state: str, cause: Mapping[str, str], at: datetime
) -> Message:
    """A breaker latched. `state`: the trading state it led to (reducing, halted)."""
    lines = [
        f"Breaker {breaker} of account {account_id} tripped at {_time(at)}: trading is {state}.",
        *(f"{name}: {value}" for name, value in sorted(cause.items())),
        "",
        "It stays tripped until a person clears it with a reason.",
    ]
    subject = f"Breaker {breaker} tripped: trading is {state}"
    key = (account_id, breaker, str(event_no))
    return _message("breaker_tripped", key, MessageSeverity.CRITICAL, subject, lines, at)


def trading_state_changed(change: StateChange) -> Message:
    """A person halted, reduced, flattened or resumed trading."""
    lines = [
        f"From {_time(change.at)} on trading of {change.of} is {change.in_words}.",
        f"{change.set_by}: {change.why}",
    ]
    severity = {
        TradingState.ACTIVE: MessageSeverity.INFO,
        TradingState.REDUCING: MessageSeverity.WARNING,
        TradingState.HALTED: MessageSeverity.CRITICAL,
    }[change.state]
    title = f"Trading of {change.of} is {change.in_words}, by {change.set_by}"
    return _message("trading_state_changed", (str(change.event_no),), severity, title, lines, change.at)


def incident_opened(account_id: str, kind: str, subject: str, symbol: str | None, at: datetime) -> Message:
    """Something happened to an account at its broker that no sound history has: once an incident."""
    where = f" in {symbol}" if symbol else ""
    lines = [
        f"Account {account_id} at {_time(at)}: {kind}{where}, of {subject}.",
        f"Nothing new is opened{where} until a person has looked: `trading incidents list`.",
    ]
    key = (account_id, kind, subject)
    return _message("incident_opened", key, MessageSeverity.CRITICAL, f"Incident: {kind}{where}", lines, at)


def break_found(account_id: str, one: Break, cut_at: datetime) -> Message:
    """Our ledger and the broker's records began to differ in something: once, until they agree again."""
    where = f"account {account_id}" if one.is_account_wide else one.symbol
    lines = [
        f"Account {account_id}, compared with its broker at {_time(cut_at)}: {one.kind} of {one.subject}.",
        f"Ours: {one.ours or 'nothing'}",
        f"Theirs: {one.theirs or 'nothing'}",
        "",
        f"To do: {one.remedy}.",
        f"Nothing new is opened in {where} until then: `trading breaks list`.",
    ]
    key = (account_id, one.adjustment_id, cut_at.isoformat())
    subject = f"Ledger and broker differ: {one.kind} in {one.symbol or 'the account'}"
    return _message("break_found", key, MessageSeverity.CRITICAL, subject, lines, cut_at)


def limit_alert(event: AlertEvent) -> Message:
    """A limit came near, was reached, is far again, or cannot be measured: once a change."""
    limit = _share(event.limit_value)
    value = "unknown" if event.value is None else _share(event.value)
    used = "" if event.value is None else f", {_share(event.value / event.limit_value)} of it"
    lines = [
        f"Account {event.account_id} at {_time(event.at)}: {event.limit_name} is {value}; its limit is {limit}{used}.",
        f"It was {event.previous} and is {event.state}.",
        *([event.detail] if event.detail else []),
        "",
        f"A limit warns at {_share(WARN_AT)} of its use and is breached at {_share(BREACH_AT)}; either stands until "
        f"{_share(CLEAR_AT)}.",
    ]
    subject = f"{_ALERT_WORDS[event.state]}: {event.limit_name} is {value}, limit {limit}"
    key = (event.account_id, event.limit_name, str(event.event_no))
    return _message("limit_alert", key, _ALERT_SEVERITY[event.state], subject, lines, event.at)


def orders_filled(account_id: str, session_date: date, fills: Sequence[Fill]) -> Message:
    """The fills of one account and session, at least one. Other fills of the same session are another message."""
    ordered = sorted(fills, key=lambda fill: (fill.filled_at, fill.execution_id))
    bought = sum((fill.qty * fill.price for fill in ordered if fill.side.sign > 0), Decimal(0))
    sold = sum((fill.qty * fill.price for fill in ordered if fill.side.sign < 0), Decimal(0))
    lines = [
        f"{len(ordered)} fills in session {session_date} of account {account_id}: "
        f"bought {_usd(bought)}, sold {_usd(sold)}.",
        "",
        *(
            f"{_time(fill.filled_at)} {fill.strategy}: "
            f"{fill.side} {_plain(fill.qty)} {fill.symbol} at {_plain(fill.price)}"
            for fill in ordered
        ),
    ]
    subject = f"{len(ordered)} fills on {session_date}: bought {_usd(bought)}, sold {_usd(sold)}"
    key = (account_id, session_date.isoformat(), *sorted(fill.execution_id for fill in ordered))
    return _message("orders_filled", key, MessageSeverity.INFO, subject, lines, ordered[-1].filled_at)


def gate_closed(
    dataset: str, session_date: date, failing_checks: Mapping[str, Sequence[str]], evaluated_at: datetime
) -> Message:
    """Checks failed for the symbols of `failing_checks` (symbol -> names of failed checks), at the latest at the close.

    The fact is the state of the data, so that finding it again in a later evaluation is the same message.
    """
    facts = [f"{symbol}: {', '.join(sorted(failing_checks[symbol]))}" for symbol in sorted(failing_checks)]
    lines = [
        f"Data of {dataset} for session {session_date} failed its checks at {_time(evaluated_at)}.",
        "Orders of these symbols are denied until the checks pass:",
        "",
        *facts,
    ]
    subject = f"Quality gate closed: {dataset}, {session_date}, {', '.join(sorted(failing_checks))}"
    key = (dataset, session_date.isoformat(), *facts)
    occurred_at = min(evaluated_at, session(session_date).closes_at)
    return _message("gate_closed", key, MessageSeverity.WARNING, subject, lines, occurred_at)


def run_failed(run_id: str, job: str, error: str, failed_at: datetime) -> Message:
    """A run of the graph failed. `error`: what it said, without a stack."""
    lines = [f"Run {run_id} of {job} failed at {_time(failed_at)}.", "", error.strip()]
    return _message("run_failed", (run_id,), MessageSeverity.CRITICAL, f"Run failed: {job}", lines, failed_at)


def daily_summary(
    account_id: str,
    session_date: date,
    equity_usd: Decimal,
    day_pnl_usd: Decimal,
    fills: int,
    denied: int,
    closes_at: datetime,
) -> Message:
    """How a session went. A corrected session has other figures and is a new message."""
    lines = [
        f"Account {account_id} at the close of {session_date} ({_time(closes_at)}).",
        "",
        f"Equity: {_usd(equity_usd)}",
        f"Profit and loss of the session: {_usd(day_pnl_usd)}",
        f"Fills: {fills}",
        f"Denied intents: {denied}",
    ]
    subject = f"Session {session_date}: equity {_usd(equity_usd)}, {_usd(day_pnl_usd)}"
    key = (account_id, session_date.isoformat(), _plain(equity_usd), _plain(day_pnl_usd), str(fills), str(denied))
    return _message("daily_summary", key, MessageSeverity.INFO, subject, lines, closes_at)


def _message(
    event: str,
    key: Sequence[str],
    severity: MessageSeverity,
    subject: str,
    lines: Sequence[str],
    occurred_at: datetime,
) -> Message:
    message_id = sha256("\x1f".join((event, *key)).encode()).hexdigest()
    # Mail servers refuse a subject of several lines, and texts such as job names come from outside.
    return Message(message_id, event, severity, " ".join(subject.split()), "\n".join(lines) + "\n", occurred_at)


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _usd(amount: Decimal) -> str:
    return f"{amount.quantize(CENT):,} USD"


def _share(ratio: Decimal) -> str:
    return f"{ratio * 100:.2f} %"


def _plain(amount: Decimal) -> str:
    return f"{amount.normalize():f}"


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:g}"
