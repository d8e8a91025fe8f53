"""What the account has sent in the session and still has open, and the counts that rules ask of it.

All of it is folded from recorded orders, never from a memory of its own: a restart in the middle of a session counts
on. Orders approved at this moment are added as they are approved.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from trading_assets.domain.risk.rules.ruling import MILLION
from trading_assets.domain.values import ZERO, Side

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


class SentOrder(NamedTuple):
    """An order of the session, decided at `at` (UTC). `value_usd`: shares at the reference price of the decision."""

    intent_id: str
    strategy: str
    symbol: str
    side: Side
    qty: Decimal
    value_usd: Decimal
    at: datetime


class OpenOrder(NamedTuple):
    """An order that may still trade. `limit_usd` is None where it trades at any price.

    `has_legs`: it belongs to a group or trails the market, which the broker lets stand against other orders.
    `is_unresolved`: nobody knows what became of it.
    """

    symbol: str
    side: Side
    limit_usd: Decimal | None = None
    has_legs: bool = False
    is_unresolved: bool = False


class Activity:
    """The orders of one account, counted. Grows by what is approved; what it was made of never changes."""

    __slots__ = ("_by_intent", "_by_symbol", "_by_twin", "_last_side", "_open", "_reversals", "_sent", "turnover_usd")

    def __init__(self, sent: Iterable[SentOrder], open_orders: Iterable[OpenOrder]) -> None:
        self._sent: list[SentOrder] = []
        self._open: list[OpenOrder] = []
        self._by_intent: dict[str, int] = defaultdict(int)
        self._by_symbol: dict[str, list[OpenOrder]] = defaultdict(list)
        self._by_twin: dict[tuple[str, str, Side, Decimal], list[datetime]] = defaultdict(list)
        self._last_side: dict[str, Side] = {}
        self._reversals: dict[str, int] = defaultdict(int)
        self.turnover_usd = ZERO
        for order in sent:
            self._by_intent[order.intent_id] += 1
            self._count_sent(order)
        for one in open_orders:
            self._count_open(one)

    def add(self, order: SentOrder) -> None:
        """Count an order that is about to be sent: it is open, too."""
        self._count_sent(order)
        self._count_open(OpenOrder(order.symbol, order.side))

    @property
    def orders(self) -> int:
        """Orders of the session."""
        return len(self._sent)

    def orders_of(self, intent_id: str) -> int:
        """How many of those that were sent an intent led to."""
        return self._by_intent.get(intent_id, 0)

    def open_orders(self, symbol: str | None = None) -> int:
        """How many orders are open, in `symbol` or at all."""
        return len(self._open) if symbol is None else len(self._by_symbol.get(symbol, ()))

    def unresolved(self, symbol: str) -> int:
        """How many open orders in `symbol` nobody knows the fate of."""
        own = self._by_symbol.get(symbol)
        return sum(one.is_unresolved for one in own) if own else 0

    def opposing(self, symbol: str, side: Side, limit_usd: Decimal | None, has_legs: bool = False) -> int:
        """Open orders on the other side of an order in `symbol` that could trade with it."""
        own = self._by_symbol.get(symbol)
        if has_legs or not own:
            return 0
        others = [one for one in own if one.side is not side and not one.has_legs]
        return sum(_could_trade(side, limit_usd, one.limit_usd) for one in others)

    def last_twin(self, strategy: str, symbol: str, side: Side, qty: Decimal, before: datetime) -> datetime | None:
        """When the strategy last decided on the same order earlier than `before`; None: not in this session.

        The legs of one decision are no twins: closing and opening as many shares is a change of sign.
        """
        times = self._by_twin.get((strategy, symbol, side, qty))
        return max((at for at in times if at < before), default=None) if times else None

    def reversals(self, symbol: str) -> int:
        """How often the session's orders in `symbol` changed their side."""
        return self._reversals[symbol]

    def is_reversal(self, symbol: str, side: Side) -> bool:
        return self._last_side.get(symbol, side) is not side

    def bucket(
        self, brim: int, period: timedelta, at: datetime, symbol: str | None = None, strategy: str | None = None
    ) -> int:
        """Millionths of orders in a bucket of `brim` orders at `at`, rounded up. It empties by its brim a `period`.

        Each order of the symbol, or of the strategy, or of the account, adds one. This is the token bucket turned
        over: what is missing to the brim are the tokens.
        """
        times = [
            order.at
            for order in self._sent
            if (symbol is None or order.symbol == symbol) and (strategy is None or order.strategy == strategy)
        ]
        return bucket_level(times, brim, period, at)

    def _count_sent(self, order: SentOrder) -> None:
        self._sent.append(order)
        self._by_twin[order.strategy, order.symbol, order.side, order.qty].append(order.at)
        self._reversals[order.symbol] += self.is_reversal(order.symbol, order.side)
        self._last_side[order.symbol] = order.side
        self.turnover_usd += order.value_usd

    def _count_open(self, one: OpenOrder) -> None:
        self._open.append(one)
        self._by_symbol[one.symbol].append(one)


def bucket_level(times: Sequence[datetime], brim: int, period: timedelta, at: datetime) -> int:
    """Millionths of orders in a bucket that gets one at each of `times` and empties by `brim` a `period`, rounded up.

    Whole microseconds and whole numbers: nothing is lost in the order of adding.
    """
    length = period // timedelta(microseconds=1)
    level, since = 0, None
    for time in [*sorted(times), at]:
        if since is not None:
            level = max(0, level - (time - since) // timedelta(microseconds=1) * brim * MILLION)
        level, since = level + length * MILLION, time
    return -(-(level - length * MILLION) // length)


def _could_trade(side: Side, limit_usd: Decimal | None, other_usd: Decimal | None) -> bool:
    """Whether an order with a limit, or at any price, could trade with one of the other side."""
    if limit_usd is None or other_usd is None:
        return True
    return limit_usd >= other_usd if side is Side.BUY else limit_usd <= other_usd
