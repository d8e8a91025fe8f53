"""The one review every order passes: all intents of a moment in, one verdict each out.

What a rule asks stands in the catalogue; here the answers become approved, reduced or denied.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from math import gcd

from trading_assets.domain.risk.answers import Answers, Failure, Panel
from trading_assets.domain.risk.case import Case, Standing
from trading_assets.domain.risk.exposure import Projection
from trading_assets.domain.risk.limits import RiskLimits
from trading_assets.domain.risk.rules.catalogue import RULES
from trading_assets.domain.risk.rules.rule import Rule
from trading_assets.domain.risk.verdicts import AccountSnapshot, CheckResult, Intent, Outcome, Verdict
from trading_assets.domain.values import ZERO, Side


def review(
    intents: Iterable[Intent], snapshot: AccountSnapshot, limits: RiskLimits, rules: Sequence[Rule] = RULES
) -> list[Verdict]:
    """Verdicts in the order they were decided: sells before buys, then by strategy, symbol, leg; a group at once.

    Every rule answers every intent. Each approved quantity counts as a working order for the intents after it, so the
    approved ones fit together, not only one by one. A reduction that leaves less than one share is a denial.
    """
    standing, projection = Standing(snapshot, limits), Projection(snapshot)
    panel = Panel(rules, standing)
    verdicts: list[Verdict] = []
    for group in _together(intents):
        legs = [Case(intent, standing, projection) for intent in group]
        if len(group) > 1:
            trial = projection.copy()
            alone = [_decide(Case(intent, standing, trial), panel) for intent in group]
            for leg, group_qty in zip(legs, _in_ratio(alone), strict=True):
                leg["group_qty"] = group_qty
        verdicts.extend(_decide(leg, panel) for leg in legs)
    return verdicts


def recheck(
    intent: Intent, qty: Decimal, snapshot: AccountSnapshot, limits: RiskLimits, rules: Sequence[Rule] = RULES
) -> tuple[CheckResult, ...]:
    """Answers of the rules that the submitting transaction asks again, for the approved `qty`; any failure denies.

    `snapshot` is read in that transaction and does not contain this order yet.
    """
    case = Case(replace(intent, qty=qty), Standing(snapshot, limits), Projection(snapshot))
    return tuple(rule.answer(case) for rule in rules if rule.is_rechecked)


def _together(intents: Iterable[Intent]) -> Iterable[list[Intent]]:
    """The intents in the order of decision, each group at the place of its first."""
    groups: dict[tuple[str, str] | int, list[Intent]] = {}
    for number, intent in enumerate(sorted(intents, key=_place)):
        groups.setdefault(number if intent.group is None else (intent.strategy, intent.group), []).append(intent)
    return groups.values()


def _place(intent: Intent) -> tuple[bool, str, str, int, str]:
    return (intent.side is Side.BUY, intent.strategy, intent.symbol, intent.leg, intent.intent_id)


def _decide(case: Case, panel: Panel) -> Verdict:
    verdict = _verdict(case.intent, case.snapshot, *panel.ask(case))
    if verdict.outcome is not Outcome.DENIED:
        case.projection.approve(case.intent, verdict.approved_qty)
    return verdict


def _in_ratio(legs: Sequence[Verdict]) -> list[int]:
    """The most shares of every leg that keep the ratio in which they were wanted."""
    if any(leg.outcome is Outcome.DENIED for leg in legs):
        return [0 for _ in legs]
    wanted = [int(leg.intent.qty) for leg in legs]
    steps = gcd(*wanted)
    times = min(int(leg.approved_qty) * steps // qty for leg, qty in zip(legs, wanted, strict=True))
    return [qty // steps * times for qty in wanted]


def _verdict(intent: Intent, snapshot: AccountSnapshot, answers: Answers, failures: Sequence[Failure]) -> Verdict:
    if not failures:
        outcome, approved_qty = Outcome.APPROVED, intent.qty
    else:
        approved_qty = min(failure.allowed_qty for failure in failures)
        # A failed rule that would let everything through contradicts itself: nothing passes.
        outcome = Outcome.REDUCED if approved_qty >= 1 and approved_qty < intent.qty else Outcome.DENIED
    if outcome is Outcome.DENIED:
        approved_qty = ZERO
    elif outcome is Outcome.REDUCED:
        failures = [failure for failure in failures if failure.allowed_qty == approved_qty]
    return Verdict(
        intent=intent,
        outcome=outcome,
        approved_qty=approved_qty,
        reason_codes=tuple(dict.fromkeys(failure.reason_code for failure in failures)),
        checks=answers,
        reference_price=_finite_or_none(snapshot.reference_prices.get(intent.symbol)),
        equity_usd=_finite_or_none(snapshot.equity_usd),
    )


def _finite_or_none(value: Decimal | None) -> Decimal | None:
    return value if value is not None and value.is_finite() else None
