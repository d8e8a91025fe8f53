"""One rule: its function with its place in the catalogue, and how its answers read.

Which rules there are stands in catalogue.py; asking all of them is the business of answers.py.
"""

from __future__ import annotations

from collections.abc import Callable, ItemsView, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from functools import cached_property
from operator import itemgetter
from typing import get_type_hints

from trading_assets.domain.risk.case import OF_ORDER, Case, Number, Standing
from trading_assets.domain.risk.inputs import InputMissingError
from trading_assets.domain.risk.limits import RiskLimits
from trading_assets.domain.risk.rules.ruling import NUMBER, Ruling, Unit
from trading_assets.domain.risk.verdicts import CheckResult
from trading_assets.domain.values import ReasonCode

LIMIT_KEYS = frozenset(field.name for field in fields(RiskLimits))

NOT_LIMITED = "not limited"

Numbers = tuple[Number, ...]


@dataclass(frozen=True, eq=False)
class Rule:
    """One row of the catalogue, which is no other's equal.

    unit: what value and limit of the function's rulings are. is_rechecked: asked again by the transaction that submits
    the order. A rule with a limit that is not set passes, and says so.
    """

    rule_id: str
    title: str
    function: Callable[..., Ruling]
    reason_code: ReasonCode
    unit: Unit
    is_rechecked: bool = False

    @cached_property
    def inputs(self) -> Mapping[str, Unit]:
        """The names of the numbers that the function needs, in the order of its parameters, with their units."""
        hints = get_type_hints(self.function, include_extras=True)
        return {name: hint.__metadata__[0] for name, hint in hints.items() if name != "return"}

    @cached_property
    def limit_keys(self) -> tuple[str, ...]:
        """Those of its inputs that are set in trading.yaml, under `risk`."""
        return tuple(name for name in self.inputs if name in LIMIT_KEYS)

    @cached_property
    def is_shared(self) -> bool:
        """Whether all intents of a moment have the same answer."""
        return not any(name in OF_ORDER for name in self.inputs)

    @cached_property
    def has_few_answers(self) -> bool:
        """Whether what it asks are counts and words, so that most intents of a moment have the same few numbers."""
        return all(unit.words or unit is NUMBER for unit in self.inputs.values())

    @cached_property
    def numbers_of(self) -> Callable[[Case | Standing], Numbers]:
        """What the function is asked with, of one case. Raises InputMissingError."""
        return numbers_named(tuple(self.inputs))

    def without_limit(self, limits: RiskLimits) -> CheckResult | None:
        """Its answer where one of its limits is not set, so that it has nothing to judge by; else None."""
        unset = [key for key in self.limit_keys if getattr(limits, key) is None]
        if not unset:
            return None
        return CheckResult(self.rule_id, True, None, None, None, None, dict.fromkeys(unset, NOT_LIMITED))

    def answer(self, case: Case | Standing) -> CheckResult:
        """The rule's result; whatever is missing or goes wrong is a failed result that names it."""
        try:
            return self.without_limit(case.limits) or self.result(self.numbers_of(case))
        except Exception as error:
            return self.unanswered(error)

    def result(self, numbers: Numbers) -> CheckResult:
        """The answer to `numbers`, as it is recorded."""
        is_passed, value, limit, allowed_qty = self.function(*numbers)
        amount, inputs = self.unit.amount, NumbersInWords(self.inputs, numbers)
        if is_passed:
            return CheckResult(self.rule_id, True, None, amount(value), amount(limit), None, inputs)
        allowed = Decimal(max(0, allowed_qty))
        return CheckResult(self.rule_id, False, self.reason_code, amount(value), amount(limit), allowed, inputs)

    def unanswered(self, error: Exception) -> CheckResult:
        """A failed result: a number is missing, or something went wrong."""
        if isinstance(error, InputMissingError):
            code, inputs = ReasonCode.INPUT_MISSING, {"missing": str(error)}
        else:
            code, inputs = ReasonCode.CHECK_RAISED, {"error": f"{type(error).__name__}: {error}"}
        return CheckResult(self.rule_id, False, code, None, None, None, inputs)


def numbers_named(names: Sequence[str]) -> Callable[[Case | Standing], Numbers]:
    """A function that reads these numbers of a case."""
    match names:
        case []:
            return lambda _: ()
        case [name]:
            return lambda case: (case[name],)
        case _:
            # Several times as fast as a loop, but a tuple only from two names on.
            return itemgetter(*names)


class NumbersInWords(Mapping[str, str]):
    """The inputs of an answer as people read them, put into words when somebody does."""

    __slots__ = ("_numbers", "_units")

    def __init__(self, units: Mapping[str, Unit], numbers: Numbers) -> None:
        self._units, self._numbers = units, numbers

    def __getitem__(self, name: str) -> str:
        return dict(self.items())[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._units)

    def __len__(self) -> int:
        return len(self._units)

    def items(self) -> ItemsView[str, str]:
        pairs = zip(self._units.items(), self._numbers, strict=True)
        return {name: unit.text(number) for (name, unit), number in pairs}.items()

    def __repr__(self) -> str:
        return repr(dict(self.items()))
