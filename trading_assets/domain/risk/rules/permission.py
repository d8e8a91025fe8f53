"""Whether this account may trade this symbol at all now. How much is asked elsewhere."""

from __future__ import annotations

from typing import Final

from trading_assets.domain.risk.rules.ruling import Gate, Ruling, Shares, State

REDUCING: Final = 1
HALTED: Final = 2
OPEN: Final = 3


def not_halted(trading_state: State) -> Ruling:
    """RC-01a: a halted account sends nothing."""
    return Ruling(trading_state < HALTED, trading_state, HALTED, 0)


def only_closing_while_reducing(trading_state: State, qty: Shares, closable_qty: Shares) -> Ruling:
    """RC-01b: while positions are only reduced, an order stays within what it surely closes."""
    return Ruling(trading_state != REDUCING or qty <= closable_qty, trading_state, REDUCING, closable_qty)


def quality_gate(gate: Gate) -> Ruling:
    """RC-03: the gate of the symbol's bars is open. Pending, closed and absent deny."""
    return Ruling(gate == OPEN, gate, OPEN, 0)
