"""What-if reviews as they are stored: one scenario a question, with the intents that it would have answered otherwise.

What a scenario is worth is computed in domain/what_if.py; recorded verdicts are only read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from trading_assets.adapters.errors import NotFound
from trading_assets.adapters.postgres.database import Table, merge
from trading_assets.adapters.postgres.records import select
from trading_assets.domain.what_if import WhatIf

SCENARIO_COLUMNS = (
    "scenario_id",
    "account_id",
    "first_session",
    "last_session",
    "limits",
    "verdict_count",
    "denied_count",
    "smaller_count",
    "larger_count",
    "recorded_equity_usd",
    "scenario_equity_usd",
)
ANSWER_COLUMNS = ("scenario_id", "intent_id", "outcome", "approved_qty", "reason_codes", "effect_usd")
SCENARIOS = Table("risk.scenarios", ("scenario_id",), SCENARIO_COLUMNS[1:])
ANSWERS = Table("risk.scenario_verdicts", ("scenario_id", "intent_id"), ANSWER_COLUMNS[2:])


@dataclass(frozen=True, slots=True)
class Scenario:
    """One question and its answer in short; `worth_usd`: equity at the end more, or less, than as recorded."""

    scenario_id: str
    account_id: str
    first_session: date
    last_session: date
    limits: Mapping[str, Any]
    verdict_count: int
    denied_count: int
    smaller_count: int
    larger_count: int
    recorded_equity_usd: Decimal
    scenario_equity_usd: Decimal
    worth_usd: Decimal


@dataclass(frozen=True, slots=True)
class Effect:
    """One recorded intent that a scenario would have answered otherwise. `decision_at` is UTC, quantities shares."""

    decision_at: datetime
    strategy: str
    symbol: str
    side: str
    recorded_qty: Decimal
    approved_qty: Decimal
    reason_codes: Sequence[str]
    effect_usd: Decimal | None


def store_scenario(
    connection: psycopg.Connection, first: date, last: date, limits: Mapping[str, Any], outcome: WhatIf
) -> str:
    """Store the review of the sessions first..last under `limits`, in place of an earlier one; returns its id."""
    account_id = outcome.account_id
    question = json.dumps([account_id, first.isoformat(), last.isoformat(), dict(limits)], sort_keys=True)
    scenario_id = sha256(question.encode()).hexdigest()
    counts = (len(outcome.recorded.verdicts), outcome.denied, outcome.smaller, outcome.larger)
    equity = outcome.recorded_equity_usd, outcome.recorded_equity_usd + outcome.worth_usd
    scenario = (scenario_id, account_id, first, last, Jsonb(dict(limits)), *counts, *equity)
    answers = [
        (
            scenario_id,
            one.recorded.intent.intent_id,
            one.otherwise.outcome,
            one.otherwise.approved_qty,
            list(one.otherwise.reason_codes),
            outcome.effect_usd(one),
        )
        for one in outcome.differences
    ]
    merge(connection, SCENARIOS, SCENARIO_COLUMNS, [scenario])
    connection.execute(
        "delete from risk.scenario_verdicts where scenario_id = %s and not intent_id = any(%s)",
        (scenario_id, [answer[1] for answer in answers]),
    )
    merge(connection, ANSWERS, ANSWER_COLUMNS, answers)
    return scenario_id


def scenarios(connection: psycopg.Connection) -> list[Scenario]:
    """All that were stored, the newest last."""
    return select(
        connection,
        Scenario,
        """
        select scenario_id, account_id, first_session, last_session, limits, verdict_count, denied_count, smaller_count,
               larger_count, recorded_equity_usd, scenario_equity_usd, worth_usd
        from risk.scenario_summary order by recorded_at, scenario_id
        """,
    )


def scenario(connection: psycopg.Connection, prefix: str) -> Scenario:
    """The one whose id begins with `prefix`. Raises NotFound where there is none, or more than one."""
    found = [one for one in scenarios(connection) if prefix and one.scenario_id.startswith(prefix)]
    if len(found) != 1:
        what = "no scenario" if not found else f"{len(found)} scenarios"
        raise NotFound(f"There is {what} with an id that begins with {prefix}: `trading whatif list` shows them.")
    return found[0]


def effects(connection: psycopg.Connection, scenario_id: str) -> list[Effect]:
    """What it would have answered otherwise, in order of time."""
    return select(
        connection,
        Effect,
        """
        select decision_at, strategy, symbol, side, recorded_qty, approved_qty, reason_codes, effect_usd
        from risk.scenario_effects where scenario_id = %(scenario_id)s order by decision_at, strategy, symbol, intent_id
        """,
        scenario_id=scenario_id,
    )
