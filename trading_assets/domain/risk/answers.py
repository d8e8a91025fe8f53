"""All rules asked about the intents of one moment: what all of them share is asked once, and what passes costs little.

An answer is a function of whole numbers. The review keeps the numbers; the answer with its words is made of them, the
same every time, when somebody reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from functools import lru_cache
from itertools import accumulate, chain
from types import FunctionType
from typing import NamedTuple, overload

from trading_assets.domain.risk.case import OF_ORDER, OF_STANDING, Case, Standing
from trading_assets.domain.risk.limits import RiskLimits
from trading_assets.domain.risk.rules.rule import Numbers, Rule, numbers_named
from trading_assets.domain.risk.rules.ruling import Ruling
from trading_assets.domain.risk.verdicts import CheckResult
from trading_assets.domain.values import ZERO, ReasonCode

MOST_KNOWN = 4096
"""So many combinations of counts and words are kept with their answers."""

Given = Numbers | list[CheckResult]
"""The numbers of all rules in a row; where one could not be asked, the answer of each."""


class Failure(NamedTuple):
    """A rule that did not pass: its place in the catalogue, why, and how many shares it would let through."""

    place: int
    reason_code: ReasonCode
    allowed_qty: Decimal


class Asked:
    """Some rules with their places in the catalogue, ready to be asked one after the other."""

    __slots__ = ("_numbers_of", "_parts", "_ready", "places", "rules")

    def __init__(self, placed: Iterable[tuple[int, Rule]]) -> None:
        self.places, self.rules = list[int](), list[Rule]()
        for place, rule in placed:
            self.places.append(place)
            self.rules.append(rule)
        names = [list(rule.inputs) for rule in self.rules]
        ends = list(accumulate(map(len, names)))
        self._numbers_of = numbers_named(list(chain.from_iterable(names)))
        self._parts = [slice(end - len(own), end) for own, end in zip(names, ends, strict=True)]
        functions = [_plainly(rule.function) for rule in self.rules]
        self._ready = list(zip(self.places, self.rules, self._parts, functions, strict=True))

    def ask(self, case: Case | Standing) -> tuple[Given, list[Failure]]:
        """What they were given, and those that failed."""
        try:
            return self._asked_at_once(case)
        except Exception:
            answers = [rule.answer(case) for rule in self.rules]
            return answers, list(_failures(zip(self.places, answers, strict=True)))

    def _asked_at_once(self, case: Case | Standing) -> tuple[Given, list[Failure]]:
        numbers = self._numbers_of(case)
        failures = []
        for place, rule, part, function in self._ready:
            is_passed, _, _, allowed_qty = function(*numbers[part])
            if not is_passed:
                failures.append(Failure(place, rule.reason_code, Decimal(max(0, allowed_qty))))
        return numbers, failures

    def put(self, given: Given, into: list[CheckResult | None]) -> None:
        """Put the answers at their places."""
        if isinstance(given, tuple):
            given = [rule.result(given[part]) for rule, part in zip(self.rules, self._parts, strict=True)]
        for place, answer in zip(self.places, given, strict=True):
            into[place] = answer


class Plan:
    """How the rules are asked under some limits. `unlimited` are the answers of those that have nothing to judge by.

    `shared` are the rules that answer all intents of a moment alike, `few` those by counts and words, which most
    intents have in common, and `own` all others.
    """

    __slots__ = ("_few_numbers", "_known", "_readings", "few", "own", "shared", "unlimited")

    def __init__(self, rules: Sequence[Rule], limits: RiskLimits) -> None:
        self.unlimited = [rule.without_limit(limits) for rule in rules]
        asked = [(place, rule) for place, rule in enumerate(rules) if self.unlimited[place] is None]
        own = [(place, rule) for place, rule in asked if not rule.is_shared]
        self.shared = Asked((place, rule) for place, rule in asked if rule.is_shared)
        self.few = Asked((place, rule) for place, rule in own if rule.has_few_answers)
        self.own = Asked((place, rule) for place, rule in own if not rule.has_few_answers)
        self._few_numbers = numbers_named(list(dict.fromkeys(name for rule in self.few.rules for name in rule.inputs)))
        self._known: dict[Numbers, tuple[list[CheckResult], list[Failure]]] = {}
        needed = dict.fromkeys(name for _, rule in own for name in rule.inputs if name in OF_ORDER)
        self._readings = [(name, OF_ORDER[name]) for name in needed if name not in OF_STANDING]

    def read(self, case: Case) -> None:
        """Read what the rules will ask for, all at once; from what cannot be read on they read for themselves."""
        try:
            case.read_standing()
            for name, reading in self._readings:
                if name not in case:
                    case[name] = reading(case)
        except Exception:  # noqa: S110  the rules that need it find it missing, and say so
            pass

    def ask_few(self, case: Case) -> tuple[list[CheckResult], list[Failure]]:
        """The answers of the rules by counts and words; to the same numbers they are the same."""
        try:
            numbers = self._few_numbers(case)
        except Exception:
            return self._answered(case)
        known = self._known.get(numbers)
        if known is None:
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            known = self._known[numbers] = self._answered(case)
        return known

    def _answered(self, case: Case) -> tuple[list[CheckResult], list[Failure]]:
        answers = [rule.answer(case) for rule in self.few.rules]
        return answers, list(_failures(zip(self.few.places, answers, strict=True)))


@lru_cache(maxsize=32)
def plan_of(rules: tuple[Rule, ...], limits: RiskLimits) -> Plan:
    """The same plan for every moment under the same limits."""
    return Plan(rules, limits)


class Panel:
    """The rules at one moment, with the answers that all its intents share."""

    __slots__ = ("_failures", "_given", "_shared", "plan")

    def __init__(self, rules: Sequence[Rule], standing: Standing) -> None:
        self.plan = plan_of(tuple(rules), standing.limits)
        self._given, self._failures = self.plan.shared.ask(standing)
        self._shared: list[CheckResult | None] | None = None

    def ask(self, case: Case) -> tuple[Answers, list[Failure]]:
        """The answers of all rules, and those that failed, in the order of the catalogue."""
        plan = self.plan
        plan.read(case)
        few, few_failures = plan.ask_few(case)
        own, failures = plan.own.ask(case)
        if few_failures or self._failures:
            failures = sorted([*self._failures, *few_failures, *failures])
        return Answers(self, few, own), failures

    def shared(self) -> list[CheckResult | None]:
        """The answers that all intents share, at their places."""
        if self._shared is None:
            self._shared = list(self.plan.unlimited)
            self.plan.shared.put(self._given, self._shared)
        return list(self._shared)


class Answers(Sequence[CheckResult]):
    """What each rule said to one intent, in the order of the catalogue."""

    __slots__ = ("_few", "_own", "_panel", "_read")

    def __init__(self, panel: Panel, few: list[CheckResult], own: Given) -> None:
        self._panel, self._few, self._own = panel, few, own
        self._read: tuple[CheckResult, ...] | None = None

    def _results(self) -> tuple[CheckResult, ...]:
        if self._read is None:
            plan, results = self._panel.plan, self._panel.shared()
            plan.few.put(self._few, results)
            plan.own.put(self._own, results)
            self._read = tuple(one for one in results if one is not None)
        return self._read

    @overload
    def __getitem__(self, place: int) -> CheckResult: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[CheckResult]: ...
    def __getitem__(self, place: int | slice) -> CheckResult | Sequence[CheckResult]:
        return self._results()[place]

    def __iter__(self) -> Iterator[CheckResult]:
        return iter(self._results())

    def __len__(self) -> int:
        return len(self._panel.plan.unlimited)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and self._results() == tuple(other)

    def __hash__(self) -> int:
        return hash(self._results())

    def __repr__(self) -> str:
        return repr(self._results())

    def __reduce__(self) -> tuple[type[tuple[CheckResult, ...]], tuple[tuple[CheckResult, ...]]]:
        return tuple, (self._results(),)


def _plainly(function: Callable[..., Ruling]) -> Callable[..., tuple[bool, float, float, int]]:
    """The same function, whose answer is a tuple without names: those cost more than all that it computes."""
    names = {**function.__globals__, Ruling.__name__: lambda *answer: answer}
    return FunctionType(function.__code__, names, function.__name__, function.__defaults__, function.__closure__)


def _failures(answers: Iterable[tuple[int, CheckResult]]) -> Iterator[Failure]:
    """Those that failed of the answers at their places."""
    for place, answer in answers:
        if answer.reason_code is not None:
            yield Failure(place, answer.reason_code, ZERO if answer.allowed_qty is None else answer.allowed_qty)
