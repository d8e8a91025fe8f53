"""Strategies that remember: an explicit state goes into each decision and comes out of it.

States are documents of plain values, never pickles. Where they are kept belongs to the adapters.
"""

from __future__ import annotations

import json
from abc import abstractmethod
from copy import copy
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

from trading_assets.domain.strategy.facts import Facts
from trading_assets.domain.strategy.strategy import (
    NO_FACTS,
    ConfiguredStrategy,
    Strategy,
    View,
    decide,
)

if TYPE_CHECKING:
    import pandas as pd

Document = dict[str, Any]
"""A state as plain JSON values."""


class StrategyState(BaseModel):
    """Base of every strategy's `State`. Frozen and finite; its fields are what JSON can hold."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class StateAfter(NamedTuple):
    """What a strategy knew after the decision at `decision_at` (UTC)."""

    decision_at: datetime
    session_date: date
    state: Document


class StatefulStrategy(Strategy):
    """A strategy that decides one bar close after the other. A subclass also sets `State` and writes the two methods.

    A decision may depend on the state and on its own moment's bars and indicators, and on nothing else.
    """

    class State(StrategyState):
        """Override with a subclass of StrategyState."""

    @abstractmethod
    def initial_state(self) -> Any:
        """The state before the first bar of the history."""

    @abstractmethod
    def step(self, state: Any, view: View) -> tuple[Any, pd.DataFrame]:
        """The state after one moment and its signals, by `view.signals`: one row a symbol whose bar closes then."""

    def signals(self, view: View) -> pd.DataFrame:
        """The signals of a whole history, from the initial state on."""
        return self.walk(view, None)[0]

    def walk(self, view: View, state: Document | None) -> tuple[pd.DataFrame, list[StateAfter]]:
        """The signals of every moment, in the view's order, and the state after each. None: from the initial state."""
        import pandas as pd

        document = _document(self.initial_state()) if state is None else state
        frames, states = [], []
        for rows, moment in view.moments():
            # Through JSON at every step, so that going on from a stored state is the same as never having stopped.
            after, signals = self.step(self._restored(document), moment)
            document = _document(after)
            closes_at, session_date = moment.bars["closes_at"].iloc[0], moment.bars["session_date"].iloc[0]
            states.append(StateAfter(closes_at.to_pydatetime().astimezone(UTC), session_date, document))
            if len(signals) != len(moment.bars):
                raise ValueError(f"step() gave {len(signals)} rows for the {len(moment.bars)} bars of {closes_at}")
            frames.append(signals.set_axis(rows, axis="index"))
        together = pd.concat(frames).sort_index() if frames else view.signals([], [])
        return together.reset_index(drop=True), states

    def _restored(self, document: Document) -> Any:
        try:
            return self.State.model_validate_json(_canonical(document))
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]
            place = ".".join(map(str, problem["loc"])) or "the whole"
            raise ValueError(
                f"a state does not fit its State ({place}: {problem['msg']}): raise `version` when State changes"
            ) from error


def decide_from(
    configured: ConfiguredStrategy,
    bars: pd.DataFrame,
    values: pd.DataFrame,
    state: Document | None,
    facts: Facts = NO_FACTS,
) -> tuple[pd.DataFrame, list[StateAfter]]:
    """As `decide`, going on from `state` (None: the initial one); also the state after each bar close, in order.

    Raises StrategyError, which names the strategy.
    """
    strategy, states = configured.strategy, list[StateAfter]()
    if not isinstance(strategy, StatefulStrategy):
        raise TypeError(f"Strategy {configured.name!r} keeps no state.")

    def going_on(view: View) -> pd.DataFrame:
        signals, after = strategy.walk(view, state)
        states.extend(after)
        return signals

    resumed = copy(strategy)
    resumed.signals = going_on  # type: ignore[method-assign]
    return decide(replace(configured, strategy=resumed), bars, values, facts), states


def _document(state: BaseModel) -> Document:
    """A state as the database gives it back: without negative zeros, and keys in order."""
    document: Document = json.loads(
        _canonical(state.model_dump(mode="json")), parse_float=lambda text: float(text) + 0.0
    )
    return document


def _canonical(document: Document) -> str:
    return json.dumps(document, sort_keys=True, allow_nan=False)
