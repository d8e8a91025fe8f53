"""What the review of orders said, in PostgreSQL: verdicts, the answer of every rule, approvals and their use."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, LiteralString

import psycopg
from psycopg.types.json import Jsonb

from trading_assets.adapters.postgres.database import Table, append_once
from trading_assets.adapters.postgres.records import columns_of, row_of, rows
from trading_assets.domain.journal import Approval, Journal
from trading_assets.domain.risk.verdicts import CheckResult, Intent, Outcome, Purpose, Verdict
from trading_assets.domain.values import ReasonCode, Side

VERDICT_COLUMNS = (
    "intent_id",
    "account_id",
    "strategy",
    "strategy_version",
    "symbol",
    "side",
    "purpose",
    "leg",
    "decision_at",
    "session_date",
    "target_weight",
    "requested_qty",
    "approved_qty",
    "outcome",
    "reason_codes",
    "reference_price",
    "equity_usd",
    "sizing",
    "sizing_inputs",
)
# How a size came about explains it; two records agree when the sizes do.
EXPLAINING = {"sizing", "sizing_inputs"}
CHECK_COLUMNS = ("intent_id", "rule_id", "is_passed", "reason_code", "value", "limit_value", "allowed_qty", "inputs")

VERDICTS = Table("risk.verdicts", ("intent_id",), tuple(c for c in VERDICT_COLUMNS[1:] if c not in EXPLAINING))
CHECKS = Table("risk.verdict_checks", ("intent_id", "rule_id"), CHECK_COLUMNS[2:])


def record_review(connection: psycopg.Connection, journal: Journal) -> dict[str, int]:
    """Store the verdicts, answers and approvals of the journal; returns the number of new rows by table.

    Raises LedgerConflict when one is recorded with another content.
    """
    return {
        "risk.verdicts": append_once(connection, VERDICTS, VERDICT_COLUMNS, map(_verdict_row, journal.verdicts)),
        "risk.verdict_checks": append_once(
            connection,
            CHECKS,
            CHECK_COLUMNS,
            (_check_row(verdict, check) for verdict in journal.verdicts for check in verdict.checks),
        ),
        # An approval is given once, at the time of the first run that computed it.
        "risk.approvals": append_once(
            connection,
            Table("risk.approvals", ("intent_id",), ("qty",)),
            columns_of(Approval),
            map(row_of, journal.approvals),
        ),
    }


def recorded_verdicts(connection: psycopg.Connection, account_id: str, first: date, last: date) -> dict[str, Verdict]:
    """The verdicts of the sessions first..last by intent id, with the answers of all rules."""
    checks: dict[str, list[CheckResult]] = defaultdict(list)
    for row in rows(connection, _CHECKS, account_id=account_id, first=first, last=last):
        checks[row.pop("intent_id")].append(CheckResult(**row))
    return {
        row["intent_id"]: _verdict(row, checks[row["intent_id"]])
        for row in rows(connection, _VERDICTS, account_id=account_id, first=first, last=last)
    }


def was_decided(connection: psycopg.Connection, account_id: str, at: datetime) -> bool:
    """Whether the bar close `at` (UTC) has verdicts."""
    query = "select from risk.verdicts where account_id = %s and decision_at = %s limit 1"
    # A row without columns is an empty tuple.
    return connection.execute(query, (account_id, at)).fetchone() is not None


def sent_intents(connection: psycopg.Connection, account_id: str, first: date, last: date) -> set[str]:
    """The intents of the sessions first..last that have an order."""
    rows = connection.execute(
        "select intent_id from execution.orders where account_id = %s and session_date between %s and %s",
        (account_id, first, last),
    )
    return {intent_id for (intent_id,) in rows}


def unsent_approvals(connection: psycopg.Connection, account_id: str) -> list[tuple[Verdict, Approval]]:
    """Approvals that no order has used yet, expired ones included, in order of approval."""
    unsent = rows(connection, _UNSENT, account_id=account_id)
    return [
        (
            _verdict(row, []),
            Approval(row["intent_id"], row["approval_qty"], row["approved_at"], row["expires_at"]),
        )
        for row in unsent
    ]


def _verdict(row: dict[str, Any], checks: Sequence[CheckResult]) -> Verdict:
    intent = Intent(
        intent_id=row["intent_id"],
        account_id=row["account_id"],
        strategy=row["strategy"],
        strategy_version=row["strategy_version"],
        symbol=row["symbol"],
        side=Side(row["side"]),
        purpose=Purpose(row["purpose"]),
        decision_at=row["decision_at"],
        session_date=row["session_date"],
        target_weight=row["target_weight"],
        qty=row["requested_qty"],
        leg=row["leg"],
        sizing=row["sizing"],
        sizing_inputs=row["sizing_inputs"],
    )
    return Verdict(
        intent=intent,
        outcome=Outcome(row["outcome"]),
        approved_qty=row["approved_qty"],
        reason_codes=tuple(ReasonCode(code) for code in row["reason_codes"]),
        checks=tuple(checks),
        reference_price=row["reference_price"],
        equity_usd=row["equity_usd"],
    )


def _verdict_row(verdict: Verdict) -> tuple[Any, ...]:
    intent = verdict.intent
    return (
        intent.intent_id,
        intent.account_id,
        intent.strategy,
        intent.strategy_version,
        intent.symbol,
        intent.side,
        intent.purpose,
        intent.leg,
        intent.decision_at,
        intent.session_date,
        intent.target_weight,
        intent.qty,
        verdict.approved_qty,
        verdict.outcome,
        list(verdict.reason_codes),
        verdict.reference_price,
        verdict.equity_usd,
        intent.sizing,
        Jsonb(dict(intent.sizing_inputs)),
    )


def _check_row(verdict: Verdict, check: CheckResult) -> tuple[Any, ...]:
    return (
        verdict.intent.intent_id,
        check.rule_id,
        check.is_passed,
        check.reason_code,
        check.value,
        check.limit,
        check.allowed_qty,
        # All at once: each by itself puts all of them into words.
        Jsonb(dict(check.inputs.items())),
    )


_CHECKS: LiteralString = """
    select intent_id, rule_id, is_passed, reason_code, value, limit_value as "limit", allowed_qty, inputs
    from risk.verdict_checks join risk.verdicts using (intent_id)
    where account_id = %(account_id)s and session_date between %(first)s and %(last)s
"""
_VERDICTS: LiteralString = """
    select * from risk.verdicts
    where account_id = %(account_id)s and session_date between %(first)s and %(last)s
"""
_UNSENT: LiteralString = """
    select verdicts.*, approvals.qty as approval_qty, approvals.approved_at, approvals.expires_at
    from risk.approvals join risk.verdicts using (intent_id)
    where account_id = %(account_id)s
      and not exists (select from execution.orders where orders.intent_id = approvals.intent_id)
    order by approvals.approved_at, verdicts.side desc, verdicts.strategy, verdicts.symbol
"""
