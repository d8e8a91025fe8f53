"""What if: a recorded range lived through again beside the same range under other rules, both in memory.

What is recorded stays as it is; adapters/postgres/scenarios.py keeps what came out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from trading_assets.domain import simulation
from trading_assets.domain.journal import Approval, EquityPoint, Journal
from trading_assets.domain.risk.verdicts import Outcome, Verdict
from trading_assets.domain.values import ZERO, money


@dataclass(frozen=True, slots=True)
class Difference:
    """One intent of the record that the other rules would have answered otherwise, the book being as it was."""

    recorded: Verdict
    otherwise: Verdict


@dataclass(frozen=True, slots=True)
class WhatIf:
    """`differences` are by the record's own book; `otherwise` is the whole range under the other rules.

    There what is denied leaves the money to what comes after it, so that the two drift apart. `marks` are the last raw
    prices of the range, `splits` the sessions in which a share last became another number of them.
    """

    account_id: str
    differences: Sequence[Difference]
    recorded: Journal
    otherwise: Journal
    marks: Mapping[str, Decimal]
    splits: Mapping[str, date]

    @property
    def denied(self) -> int:
        """How many recorded approvals would have been denials."""
        return sum(not one.otherwise.approved_qty for one in self.differences)

    @property
    def larger(self) -> int:
        return sum(one.otherwise.approved_qty > one.recorded.approved_qty for one in self.differences)

    @property
    def smaller(self) -> int:
        """Those that would have been reduced, or reduced further."""
        return len(self.differences) - self.denied - self.larger

    @property
    def recorded_equity_usd(self) -> Decimal:
        """At the end of the range."""
        point = _newest(self.recorded)
        return ZERO if point is None else point.equity_usd

    def effect_usd(self, one: Difference) -> Decimal | None:
        """What the shares more, or fewer, of one intent would have made by the last price of the range, from the
        reference price of the decision on, without costs. None where a share was split since, or has no price."""
        intent, price = one.recorded.intent, one.recorded.reference_price
        split, mark = self.splits.get(intent.symbol), self.marks.get(intent.symbol)
        if price is None or mark is None or (split is not None and split > intent.session_date):
            return None
        return money(intent.side.sign * (one.otherwise.approved_qty - one.recorded.approved_qty) * (mark - price))

    @property
    def worth_usd(self) -> Decimal:
        """By how much equity would be higher at the end of the range under the other rules; below zero: lower."""
        point = _newest(self.otherwise)
        return (ZERO if point is None else point.equity_usd) - self.recorded_equity_usd


def what_if(
    account: simulation.Account,
    moments: Sequence[simulation.Moment],
    rules: simulation.Rules,
    other: simulation.Rules,
    recorded: Mapping[str, Verdict],
    sent: Collection[str],
) -> WhatIf:
    """Live through `moments` by `rules` and by `other` ones, beginning with `account`, which is used up.

    `recorded` and `sent` as in simulation.walk: by `rules` the record comes out. Approvals that were never sent are not
    sent by the other rules either.
    """
    lapsed = {name for name, one in recorded.items() if one.outcome is not Outcome.DENIED and name not in sent}
    twin = deepcopy(account)
    as_it_was, as_it_would_be = Journal(), Journal()
    differences: list[Difference] = []
    for moment in moments:
        simulation.advance(account, moment, rules, as_it_was)
        answers = _decided(account, moment, other, {}, Journal())
        permitted = _decided(account, moment, rules, recorded, as_it_was)
        differences += _differences(permitted.verdicts, answers.verdicts)
        _submit(account, moment, rules, permitted.permitted, lapsed, as_it_was)
    for moment in moments:
        simulation.advance(twin, moment, other, as_it_would_be)
        permitted = _decided(twin, moment, other, {}, as_it_would_be)
        _submit(twin, moment, other, permitted.permitted, lapsed, as_it_would_be)
    splits = {
        action.symbol: moment.session.date for moment in moments for action in moment.actions if action.split_ratio
    }
    book = account.book
    return WhatIf(book.account_id, differences, as_it_was, as_it_would_be, dict(book.marks), splits)


class _Decided(NamedTuple):
    verdicts: Sequence[Verdict]
    permitted: Sequence[tuple[Verdict, Approval]]


def _decided(
    account: simulation.Account,
    moment: simulation.Moment,
    rules: simulation.Rules,
    recorded: Mapping[str, Verdict],
    journal: Journal,
) -> _Decided:
    known = len(journal.verdicts)
    permitted = simulation.decide(account, moment, rules, recorded, journal, approved_at=moment.at)
    return _Decided(journal.verdicts[known:], permitted)


def _differences(recorded: Iterable[Verdict], otherwise: Iterable[Verdict]) -> list[Difference]:
    answers = {verdict.intent.intent_id: verdict for verdict in otherwise}
    pairs = [(verdict, answers.get(verdict.intent.intent_id)) for verdict in recorded]
    return [Difference(was, would) for was, would in pairs if would and would.approved_qty != was.approved_qty]


def _submit(
    account: simulation.Account,
    moment: simulation.Moment,
    rules: simulation.Rules,
    permitted: Iterable[tuple[Verdict, Approval]],
    lapsed: Collection[str],
    journal: Journal,
) -> None:
    used = [(verdict, approval) for verdict, approval in permitted if approval.intent_id not in lapsed]
    simulation.submit(account, used, moment.at, moment.session, rules, journal)


def _newest(journal: Journal) -> EquityPoint | None:
    return journal.equity[-1] if journal.equity else None
