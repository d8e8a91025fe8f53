"""Messages: the same fact is the same message, and the text says what happened."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from trading_assets.domain.execution.ledger import Fill
from trading_assets.domain.notification.messages import (
    Message,
    MessageSeverity,
    breaker_tripped,
    daily_summary,
    gate_closed,
    limit_alert,
    order_denied,
    orders_filled,
    run_failed,
)
from trading_assets.domain.risk.alerts import AlertEvent, AlertState
from trading_assets.domain.risk.verdicts import CheckResult, Intent, Outcome, Verdict
from trading_assets.domain.values import ReasonCode, Side

SESSION = date(2012, 11, 27)
AT = datetime(2012, 11, 27, 21, 0, tzinfo=UTC)

INTENT = Intent(
    intent_id="intent-1",
    account_id="simulated-1",
    strategy="sma_crossover",
    strategy_version="0.1.0+abc",
    symbol="IBM",
    side=Side.BUY,
    purpose="open",
    decision_at=AT,
    session_date=SESSION,
    target_weight=Decimal("0.2"),
    qty=Decimal("120.000"),
)
VERDICT = Verdict(
    intent=INTENT,
    outcome=Outcome.DENIED,
    approved_qty=Decimal(0),
    reason_codes=(ReasonCode.NOTIONAL_EXCEEDS_LIMIT,),
    checks=(
        CheckResult("trading_state", True, None, None, None),
        CheckResult("order_notional", False, ReasonCode.NOTIONAL_EXCEEDS_LIMIT, 22920.0, 10000.0),
    ),
    reference_price=Decimal(191),
    equity_usd=Decimal(100_000),
)
FILL = Fill("e1", "o1", "simulated-1", "sma_crossover", "IBM", Side.BUY, Decimal(10), Decimal("191.5"), AT, AT, SESSION)


def test_order_denied_names_order_reasons_and_only_the_failed_rules() -> None:
    message = order_denied(VERDICT)

    assert message.severity is MessageSeverity.WARNING
    assert message.subject == "Denied: buy 120 IBM (NOTIONAL_EXCEEDS_LIMIT)"
    assert "order_notional: value 22920, limit 10000" in message.body
    assert "trading_state" not in message.body
    assert message.occurred_at == AT


def test_orders_filled_sums_each_side_and_ignores_the_order_of_the_fills() -> None:
    sale = replace(FILL, execution_id="e2", side=Side.SELL, qty=Decimal(4), price=Decimal(200))

    message = orders_filled("simulated-1", SESSION, [FILL, sale])

    assert message.subject == "2 fills on 2012-11-27: bought 1,915.00 USD, sold 800.00 USD"
    assert message == orders_filled("simulated-1", SESSION, [sale, FILL])
    assert message.message_id != orders_filled("simulated-1", SESSION, [FILL]).message_id


def test_gate_closed_same_fault_found_later_is_the_same_message_and_not_a_newer_fact() -> None:
    first = gate_closed("market/bars", SESSION, {"IBM": ["b", "a"], "FB": ["c"]}, AT)
    later = gate_closed("market/bars", SESSION, {"FB": ["c"], "IBM": ["a", "b"]}, datetime(2026, 1, 1, tzinfo=UTC))

    assert first.message_id == later.message_id
    assert later.occurred_at == AT
    assert "IBM: a, b" in first.body


def test_breaker_tripped_is_critical_and_each_trip_is_a_message() -> None:
    first, second = (
        breaker_tripped("simulated-1", "daily_loss", number, "halted", {"loss": "0.06"}, AT) for number in (1, 2)
    )

    assert first.severity is MessageSeverity.CRITICAL
    assert first.message_id != second.message_id
    assert "loss: 0.06" in first.body


def test_run_failed_subject_is_one_line_whatever_the_job_is_called() -> None:
    assert run_failed("r1", "job\r\nBcc: someone", "boom", AT).subject == "Run failed: job Bcc: someone"


def test_daily_summary_corrected_figures_are_a_new_message() -> None:
    summary = daily_summary("simulated-1", SESSION, Decimal("101234.5"), Decimal("-12.3"), 2, 1, AT)
    corrected = daily_summary("simulated-1", SESSION, Decimal("101234.6"), Decimal("-12.2"), 2, 1, AT)

    assert summary.subject == "Session 2012-11-27: equity 101,234.50 USD, -12.30 USD"
    assert summary.message_id != corrected.message_id


@pytest.mark.parametrize(
    "message",
    [
        order_denied(VERDICT),
        orders_filled("simulated-1", SESSION, [FILL]),
        gate_closed("market/bars", SESSION, {"IBM": ["a"]}, AT),
        breaker_tripped("simulated-1", "daily_loss", 1, "halted", {}, AT),
        run_failed("r1", "job", "boom", AT),
        daily_summary("simulated-1", SESSION, Decimal(1), Decimal(1), 0, 0, AT),
    ],
    ids=lambda message: message.event,
)
def test_message_id_is_a_hash_that_no_other_event_shares(message: Message) -> None:
    assert len(message.message_id) == 64
    assert int(message.message_id, 16)
    assert message.body.endswith("\n")


@pytest.mark.parametrize(
    ("state", "value", "severity", "subject"),
    [
        (AlertState.WARNING, "0.12", "warning", "Limit near: max_position is 12.00 %, limit 15.00 %"),
        (AlertState.BREACHED, "0.151", "critical", "Limit reached: max_position is 15.10 %, limit 15.00 %"),
        (AlertState.CLEAR, "0.1", "info", "Limit clear again: max_position is 10.00 %, limit 15.00 %"),
        (AlertState.UNKNOWN, None, "warning", "Limit not measurable: max_position is unknown, limit 15.00 %"),
    ],
)
def test_limit_that_comes_near_says_how_near(state: AlertState, value: str | None, severity: str, subject: str) -> None:
    at = datetime(2026, 11, 20, 16, 30, tzinfo=UTC)
    event = AlertEvent(
        account_id="simulated-0badcafe-2026-11-20",
        limit_name="max_position",
        event_no=3,
        state=state,
        previous=AlertState.CLEAR if state is AlertState.WARNING else AlertState.WARNING,
        at=at,
        session_date=at.date(),
        value=None if value is None else Decimal(value),
        limit_value=Decimal("0.15"),
        detail="MSFT",
    )
    message = limit_alert(event)
    assert (message.subject, message.severity, message.occurred_at) == (subject, severity, at)
    assert "MSFT" in message.body
    assert limit_alert(replace(event, event_no=4)).message_id != message.message_id == limit_alert(event).message_id
