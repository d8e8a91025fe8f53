"""Whether a strategy may open positions: enabled, paused, or cooling down until a time; and what that does to targets.

Who may change it and where it is kept belong elsewhere.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum

from trading_assets.domain.strategy.targets import Target


class StrategyStatus(StrEnum):
    ENABLED = "enabled"
    PAUSED = "paused"
    COOLING_DOWN = "cooling_down"

    @property
    def in_words(self) -> str:
        return self.value.replace("_", " ")


@dataclass(frozen=True, slots=True)
class StateEvent:
    """Somebody changed the status of a strategy at `at` (UTC); `until` (UTC) is the end of a cool-down, else None."""

    strategy: str
    event_no: int
    state: StrategyStatus
    at: datetime
    until: datetime | None
    set_by: str
    why: str


def status_for(wanted: StrategyStatus, until: datetime | None) -> StrategyStatus:
    """A pause with an end is a cool-down. Raises ValueError for anything else with an end."""
    if until is None:
        return wanted
    if wanted is not StrategyStatus.PAUSED:
        raise ValueError(f"Only a pause has an end; {wanted.in_words} until {until:%Y-%m-%d %H:%M} UTC says nothing.")
    return StrategyStatus.COOLING_DOWN


def moment_in_utc(text: str) -> datetime:
    """`2022-05-02T15:30Z` as a time; without a zone it is UTC. Raises ValueError."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise ValueError(f"{text!r} is no time such as 2022-05-02T15:30Z.") from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def event_in_force(events: Iterable[StateEvent], at: datetime) -> StateEvent | None:
    """The newest of one strategy's events up to `at` (UTC), which is in force for decisions taken then."""
    return max((one for one in events if one.at <= at), key=lambda one: (one.at, one.event_no), default=None)


def status_at(events: Iterable[StateEvent], at: datetime) -> StrategyStatus:
    """What holds for one strategy's decisions at `at` (UTC); without an event it is enabled."""
    event = event_in_force(events, at)
    if event is None or (event.until is not None and event.until <= at):
        return StrategyStatus.ENABLED
    return event.state


def obeying(targets: Iterable[Target], events: Sequence[StateEvent]) -> list[Target]:
    """The targets, those of strategies that were not enabled at their decision marked as only reducing."""
    by_strategy: dict[str, list[StateEvent]] = defaultdict(list)
    for event in events:
        by_strategy[event.strategy].append(event)
    return [
        target
        if status_at(by_strategy.get(target.strategy, ()), target.decision_at) is StrategyStatus.ENABLED
        else replace(target, may_open=False)
        for target in targets
    ]
