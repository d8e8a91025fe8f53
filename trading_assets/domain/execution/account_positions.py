"""What an account holds as its broker counts it: one position a symbol, whoever of us and others bought it.

What each strategy holds is the fold of `ledger`, which keeps an execution and its bust as two trades.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from trading_assets.domain.execution.bookings import EXECUTED_AT_DETAIL, EXECUTION_DETAIL
from trading_assets.domain.execution.ledger import Activity, ActivityKind, Fill, Record, fold
from trading_assets.domain.execution.reconciliation import LocalPosition

_WHOLE_ACCOUNT = "account"


class Holdings(NamedTuple):
    """Signed shares and their average cost by symbol, and cash in USD."""

    positions: Mapping[str, LocalPosition]
    cash_usd: Decimal


def undone_executions(records: Iterable[Record]) -> set[str]:
    """Ids of the executions that busts took back."""
    busts = (one for one in records if isinstance(one, Activity) and one.kind is ActivityKind.BUST)
    return {one.detail[EXECUTION_DETAIL] for one in busts}


def account_holdings(records: Iterable[Record]) -> Holdings:
    """Fold all records of one account, in any order, in the order of happening and as if nobody had been busted."""
    everything = list(records)
    undone = undone_executions(everything)
    book = fold(_WHOLE_ACCOUNT, _standing(everything, undone))
    positions = {symbol: LocalPosition(one.qty, one.avg_cost) for (_, symbol), one in book.positions.items()}
    return Holdings(positions, book.cash)


def _standing(records: Iterable[Record], undone: set[str]) -> Iterator[Record]:
    for one in records:
        if isinstance(one, Fill):
            if one.execution_id not in undone:
                yield replace(one, strategy=_WHOLE_ACCOUNT, booked_at=one.filled_at)
        elif one.kind is not ActivityKind.BUST and one.detail.get(EXECUTION_DETAIL) not in undone:
            executed_at = one.detail.get(EXECUTED_AT_DETAIL)
            at = datetime.fromisoformat(executed_at) if executed_at else one.at
            yield replace(one, strategy=_WHOLE_ACCOUNT, at=at)
