"""Why trading is blocked now, in one line, and what else restricts it. The facts come from the database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from trading_assets.domain.risk.protections import Lock
from trading_assets.domain.risk.standings import Restriction as ListChange
from trading_assets.domain.risk.standings import RestrictionKind
from trading_assets.domain.risk.trading_states import Scope, StateChange
from trading_assets.domain.risk.verdicts import TradingState


@dataclass(frozen=True, slots=True)
class Restriction:
    """One thing that keeps orders back. A blocking one keeps the whole account from opening positions."""

    subject: str
    text: str
    is_blocking: bool


@dataclass(frozen=True, slots=True)
class TrippedBreaker:
    """`at` is when it tripped, UTC; `cause` the numbers that did it, as text."""

    name: str
    at: datetime
    cause: Mapping[str, str]


def of_states(holding: Iterable[StateChange]) -> list[Restriction]:
    """`holding` are the last words on every subject that concerns the account."""
    return [
        Restriction(
            "state",
            f"{change.of} is {change.in_words} since {_time(change.at)}, by {change.set_by}: {change.why}",
            change.scope is Scope.ACCOUNT,
        )
        for change in holding
        if change.state is not TradingState.ACTIVE
    ]


def of_breakers(tripped: Iterable[TrippedBreaker]) -> list[Restriction]:
    restrictions = []
    for one in tripped:
        numbers = ", ".join(f"{name} {value}" for name, value in sorted(one.cause.items()))
        restrictions.append(Restriction("breaker", f"{one.name} tripped at {_time(one.at)} ({numbers})", True))
    return restrictions


def of_data(newest: datetime | None, expected: datetime) -> list[Restriction]:
    """`newest` is the last stored bar close, `expected` that of the newest bar that has closed, both UTC."""
    if newest is None:
        return [Restriction("data", "no bar is stored", True)]
    if newest >= expected:
        return []
    return [Restriction("data", f"the newest bar closed at {_time(newest)}, expected {_time(expected)}", True)]


def of_gates(gates: Mapping[str, str]) -> list[Restriction]:
    """`gates` are the states of all symbols of the newest session; blocking when none is open."""
    shut = {symbol: state for symbol, state in sorted(gates.items()) if state != "open"}
    if not shut:
        return []
    listed = ", ".join(f"{symbol} {state}" for symbol, state in shut.items())
    return [Restriction("gate", f"not open: {listed}", len(shut) == len(gates))]


def of_lists(
    changes: Iterable[ListChange], restricted: Iterable[str] = (), watched: Iterable[str] = ()
) -> list[Restriction]:
    """`changes` of the lists in order of time, of which each symbol's last holds; the others are trading.yaml's."""
    last = {change.symbol: change for change in changes}
    texts = [
        f"{change.symbol} is {change.kind} since {_time(change.at)}, by {change.set_by}: {change.why}"
        for _, change in sorted(last.items())
        if change.kind is not RestrictionKind.FREE
    ]
    configured = ((RestrictionKind.RESTRICTED, restricted), (RestrictionKind.WATCHED, watched))
    texts += [f"{symbol} is {kind}, by trading.yaml" for kind, symbols in configured for symbol in sorted(symbols)]
    return [Restriction("list", text, False) for text in texts]


def of_locks(locks: Iterable[Lock]) -> list[Restriction]:
    restrictions = []
    for lock in locks:
        of = [part for part in (lock.symbol, lock.side and lock.side.value, lock.strategy) if part]
        text = f"{lock.kind.value} locks {' '.join(of) or 'everything'} until {_time(lock.until)}"
        restrictions.append(Restriction("protection", text, not of))
    return restrictions


def headline(restrictions: Sequence[Restriction]) -> str:
    """`Trading is active.`, or that it is blocked with everything that blocks it."""
    blocking = [f"{one.subject}: {one.text}" for one in restrictions if one.is_blocking]
    if blocking:
        return f"Trading is blocked. {'; '.join(blocking)}."
    if not restrictions:
        return "Trading is active."
    return f"Trading is active, and restricted by {', '.join(dict.fromkeys(one.subject for one in restrictions))}."


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
