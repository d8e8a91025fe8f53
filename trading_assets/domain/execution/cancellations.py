"""Which working orders a trading state ends. The time loop cancels them at a simulated account, a desk at its broker.

What a state lets through to be sent is rule RC-01's business.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from trading_assets.domain.execution.matching import Cancellation
from trading_assets.domain.execution.orders import BROKER_STATUSES, TERMINAL, WorkingOrder
from trading_assets.domain.risk.trading_states import OPERATOR, TradingStates
from trading_assets.domain.risk.verdicts import TradingState
from trading_assets.domain.values import ZERO

CANCELLABLE = BROKER_STATUSES - TERMINAL
"""An order that is not surely at the broker is looked up first: there is nothing yet that could be cancelled."""


def cancelled_by(
    states: TradingStates, working: Iterable[WorkingOrder], positions: Mapping[str, Decimal]
) -> list[Cancellation]:
    """The orders that `states` end, oldest first. `positions` are the account's signed shares by symbol.

    Halted and reducing end whatever may open, add to or turn round what is held; protective legs and orders that surely
    close it stay. What is flattened keeps no order at all but the operator's own, which close it.
    """
    closable = {symbol: abs(qty) for symbol, qty in positions.items()}
    ended = []
    for one in sorted(working, key=lambda one: (one.order.submitted_at, one.order.client_order_id)):
        order = one.order
        if one.status not in CANCELLABLE:
            continue
        if states.is_flattened(order.strategy, order.symbol):
            if order.strategy_version != OPERATOR:
                ended.append(Cancellation(one, "what is held is closed"))
            continue
        if order.is_leg:
            continue
        held, state = positions.get(order.symbol, ZERO), states.of(order.strategy, order.symbol)
        is_closing = held * order.side.sign < ZERO and one.remaining <= closable[order.symbol]
        if is_closing:
            closable[order.symbol] -= one.remaining
        elif state is not TradingState.ACTIVE:
            ended.append(Cancellation(one, f"trading is {state}"))
    return ended
