"""The one review every order passes: all intents of a moment in, one verdict each out.

What a rule asks stands in the catalogue; here the answers become approved, reduced or denied.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal

from trading_assets.domain.risk.case import Case, Standing
from trading_assets.domain.risk.exposure import Projection
from trading_assets.domain.risk.limits import RiskLimits
from trading_assets.domain.risk.rules.catalogue import RULES, Rule
from trading_assets.domain.risk.verdicts import AccountSnapshot, CheckResult, Intent, Outcome, Verdict
from trading_assets.domain.values import ZERO, Side


def review(
    intents: Iterable[Intent], snapshot: AccountSnapshot, limits: RiskLimits, rules: Sequence[Rule] = RULES
) -> list[Verdict]:
    """Verdicts in the order they were decided: sells before buys, then by strategy, symbol, leg.

    Every rule answers every intent. Each approved quantity counts as a working order for the intents after it, so the
    approved ones fit together, not only one by one. A reduction that leaves less than one share is a denial.
    """
    standing, projection = Standing(snapshot, limits), Projection(snapshot)
    verdicts = []
    for intent in sorted(intents, key=_place):
        case = Case(intent, standing, projection)
        checks = tuple(rule.answer(case) for rule in rules)
        verdict = _verdict(intent, snapshot, checks)
        if verdict.outcome is not Outcome.DENIED:
            projection.approve(intent, verdict.approved_qty)
        verdicts.append(verdict)
    return verdicts


def recheck(
    intent: Intent, qty: Decimal, snapshot: AccountSnapshot, limits: RiskLimits, rules: Sequence[Rule] = RULES
) -> tuple[CheckResult, ...]:
    """Answers of the rules that the submitting transaction asks again, for the approved `qty`; any failure denies.

    `snapshot` is read in that transaction and does not contain this order yet.
    """
    case = Case(replace(intent, qty=qty), Standing(snapshot, limits), Projection(snapshot))
    return tuple(rule.answer(case) for rule in rules if rule.is_rechecked)


def _place(intent: Intent) -> tuple[bool, str, str, int, str]:
    return (intent.side is Side.BUY, intent.strategy, intent.symbol, intent.leg, intent.intent_id)


def _verdict(intent: Intent, snapshot: AccountSnapshot, checks: tuple[CheckResult, ...]) -> Verdict:
    failed = [check for check in checks if not check.is_passed]
    if not failed:
        outcome, approved_qty = Outcome.APPROVED, intent.qty
    else:
        approved_qty = min(ZERO if check.allowed_qty is None else check.allowed_qty for check in failed)
        # A failed rule that would let everything through contradicts itself: nothing passes.
        outcome = Outcome.REDUCED if approved_qty >= 1 and approved_qty < intent.qty else Outcome.DENIED
    if outcome is Outcome.DENIED:
        approved_qty = ZERO
    elif outcome is Outcome.REDUCED:
        failed = [check for check in failed if check.allowed_qty == approved_qty]
    reasons = dict.fromkeys(check.reason_code for check in failed if check.reason_code is not None)
    return Verdict(
        intent=intent,
        outcome=outcome,
        approved_qty=approved_qty,
        reason_codes=tuple(reasons),
        checks=checks,
        reference_price=_finite_or_none(snapshot.reference_prices.get(intent.symbol)),
        equity_usd=_finite_or_none(snapshot.equity_usd),
    )


def _finite_or_none(value: Decimal | None) -> Decimal | None:
    return value if value is not None and value.is_finite() else None
