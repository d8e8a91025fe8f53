"""Who may trade at all: the states that persons declare for accounts, strategies and symbols, and which of them count.

The changes are kept by adapters/postgres/trading_states.py; what a state denies is rule RC-01's business.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from trading_assets.domain.risk.verdicts import TradingState

OPERATOR = "operator"
"""The strategy version of what no strategy decided."""

EVERY_ACCOUNT = "*"
"""The subject of a change that holds for all accounts, those included that are opened later."""


class Scope(StrEnum):
    ACCOUNT = "account"
    STRATEGY = "strategy"
    SYMBOL = "symbol"


class Command(StrEnum):
    """What a person may order. The state and the closing of what is held follow from it."""

    HALT = "halt"
    REDUCE = "reduce"
    FLATTEN = "flatten"
    RESUME = "resume"

    @property
    def state(self) -> TradingState:
        return {Command.HALT: TradingState.HALTED, Command.RESUME: TradingState.ACTIVE}.get(self, TradingState.REDUCING)


@dataclass(frozen=True, slots=True)
class StateChange:
    """A person put `subject` into a state at `at` (UTC). `event_no` counts up: the last word on a subject holds.

    `is_flatten`: what is held within the scope is closed as well, by the ordinary path, until the next change.
    """

    event_no: int
    scope: Scope
    subject: str
    state: TradingState
    is_flatten: bool
    at: datetime
    set_by: str
    why: str

    @property
    def of(self) -> str:
        """`every account`; `symbol MSFT`."""
        return "every account" if self.subject == EVERY_ACCOUNT else f"{self.scope.value} {self.subject}"

    @property
    def in_words(self) -> str:
        """`reducing and closing what is held`; `halted`."""
        return f"{self.state.value} and closing what is held" if self.is_flatten else self.state.value


@dataclass(frozen=True, slots=True)
class TradingStates:
    """What holds for one account at one moment. A strategy or symbol that is not listed is active."""

    account: TradingState = TradingState.ACTIVE
    strategies: Mapping[str, TradingState] = field(default_factory=dict)
    symbols: Mapping[str, TradingState] = field(default_factory=dict)
    flattened: frozenset[tuple[Scope, str]] = frozenset()

    def of(self, strategy: str, symbol: str) -> TradingState:
        """What counts for an order of `strategy` in `symbol`."""
        active = TradingState.ACTIVE
        return tightest(self.account, self.strategies.get(strategy, active), self.symbols.get(symbol, active))

    def is_flattened(self, strategy: str, symbol: str) -> bool:
        """Whether what `strategy` holds of `symbol` is to be closed."""
        return any(
            scope is Scope.ACCOUNT
            or (scope is Scope.STRATEGY and subject == strategy)
            or (scope is Scope.SYMBOL and subject == symbol)
            for scope, subject in self.flattened
        )

    def tightened_by(self, other: TradingStates) -> TradingStates:
        """The tighter of both for the account and every strategy and symbol; what is flattened stays."""
        return replace(
            self,
            account=tightest(self.account, other.account),
            strategies=_tighter(self.strategies, other.strategies),
            symbols=_tighter(self.symbols, other.symbols),
        )

    def tightened(self, state: TradingState, *, is_flatten: bool = False) -> TradingStates:
        """These states with the account in `state`, unless it is in a tighter one already."""
        closing = {(Scope.ACCOUNT, EVERY_ACCOUNT)} if is_flatten else set()
        return replace(self, account=tightest(self.account, state), flattened=self.flattened | closing)


ALL_ACTIVE = TradingStates()

_TIGHTNESS = (TradingState.ACTIVE, TradingState.REDUCING, TradingState.HALTED)


def tightest(*states: TradingState) -> TradingState:
    """The one that lets the least through; without any, ACTIVE."""
    return max(states, key=_TIGHTNESS.index, default=TradingState.ACTIVE)


def _tighter(one: Mapping[str, TradingState], other: Mapping[str, TradingState]) -> dict[str, TradingState]:
    active = TradingState.ACTIVE
    return {name: tightest(one.get(name, active), other.get(name, active)) for name in (*one, *other)}


def scope_of(account: str | None, strategy: str | None, symbol: str | None) -> tuple[Scope, str]:
    """The scope that was named, at most one; every account without any. Raises ValueError."""
    named = [
        (scope, subject)
        for scope, subject in ((Scope.ACCOUNT, account), (Scope.STRATEGY, strategy), (Scope.SYMBOL, symbol))
        if subject
    ]
    if len(named) > 1:
        raise ValueError(f"{' and '.join(scope.value for scope, _ in named)} are two scopes: give one at a time.")
    return named[0] if named else (Scope.ACCOUNT, EVERY_ACCOUNT)


def in_force(changes: Iterable[StateChange], at: datetime | None = None) -> list[StateChange]:
    """The last word on each subject among the changes up to `at` (UTC), or among all, by scope and subject."""
    last: dict[tuple[Scope, str], StateChange] = {}
    for change in sorted(changes, key=lambda one: one.event_no):
        if at is None or change.at <= at:
            last[change.scope, change.subject] = change
    return [last[key] for key in sorted(last)]


def concerning(changes: Iterable[StateChange], account_id: str) -> list[StateChange]:
    """The changes that are not about another account."""
    own = {account_id, EVERY_ACCOUNT}
    return [one for one in changes if one.scope is not Scope.ACCOUNT or one.subject in own]


def states_of(changes: Iterable[StateChange], account_id: str, at: datetime | None = None) -> TradingStates:
    """The states of account `account_id` after the changes up to `at` (UTC), or after all of them."""
    holding = [one for one in in_force(concerning(changes, account_id), at) if one.state is not TradingState.ACTIVE]
    by_scope = {
        scope: {one.subject: one.state for one in holding if one.scope is scope}
        for scope in (Scope.STRATEGY, Scope.SYMBOL)
    }
    return TradingStates(
        account=tightest(*(one.state for one in holding if one.scope is Scope.ACCOUNT)),
        strategies=by_scope[Scope.STRATEGY],
        symbols=by_scope[Scope.SYMBOL],
        flattened=frozenset((one.scope, one.subject) for one in holding if one.is_flatten),
    )
