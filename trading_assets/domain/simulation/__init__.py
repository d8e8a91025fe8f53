"""The time loop: one account walks through bar closes, for one moment or for ten years of them.

A moment has three phases: take fills, decide, submit. A backfill runs all three at every bar close; live jobs run the
same functions one phase at a time. No clock and no I/O: everything comes in as arguments and goes out as a journal.
"""

from trading_assets.domain.risk.trading_states import OPERATOR
from trading_assets.domain.simulation.account import Account, open_book
from trading_assets.domain.simulation.breaker_events import trip_breaker
from trading_assets.domain.simulation.dealings import RecordedDealings
from trading_assets.domain.simulation.loop import (
    decide,
    is_closing,
    market_order,
    orders_for,
    submit,
    take_notice,
    walk,
)
from trading_assets.domain.simulation.moment import SIMULATED, Moment, Rules
from trading_assets.domain.simulation.phase_one import advance
from trading_assets.domain.simulation.restored import Recorded, restored, working_orders
from trading_assets.domain.simulation.views import account_snapshot, circumstances, equity_point, position_snapshots

__all__ = [
    "OPERATOR",
    "SIMULATED",
    "Account",
    "Moment",
    "Recorded",
    "RecordedDealings",
    "Rules",
    "account_snapshot",
    "advance",
    "circumstances",
    "decide",
    "equity_point",
    "is_closing",
    "market_order",
    "open_book",
    "orders_for",
    "position_snapshots",
    "restored",
    "submit",
    "take_notice",
    "trip_breaker",
    "walk",
    "working_orders",
]
