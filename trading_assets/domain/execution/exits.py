"""Protective exits: the legs that an entry carries, and how they follow the position that they protect.

A leg only ever closes. What executes it in a bar is the business of `matching`, when to enter that of the strategy.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date, datetime
from decimal import Decimal

from trading_assets.domain.execution.ids import client_order_id
from trading_assets.domain.execution.orders import (
    Order,
    OrderClass,
    OrderEvent,
    OrderStatus,
    OrderType,
    TimeInForce,
    WorkingOrder,
)
from trading_assets.domain.values import ZERO, Side

_PERCENT = Decimal(100)


@dataclass(frozen=True, slots=True)
class ExitPlan:
    """Where a strategy's positions end by themselves: fractions of the entry price, 0.05 is 5 %; None is no such exit.

    `trailing_stop` counts from the best price since the entry. Raises ValueError for a fraction outside of 0 to 1, and
    for a plan without any exit.
    """

    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None
    trailing_stop: Decimal | None = None

    def __post_init__(self) -> None:
        chosen = {one.name: getattr(self, one.name) for one in fields(self) if getattr(self, one.name) is not None}
        if not chosen:
            raise ValueError(f"an exit plan needs one of {', '.join(one.name for one in fields(self))}")
        for name, fraction in chosen.items():
            if not ZERO < fraction < 1:
                raise ValueError(f"{name} is {fraction}: it must be a fraction above 0 and below 1")


def with_legs(entry: Order, plan: ExitPlan, leg: int) -> list[Order]:
    """The entry as the first order of its group, and the legs of `plan`; `leg` is the number of the entry's own leg.

    The legs are good till cancelled, for as many shares as the entry, and have no price before the entry has one.
    """
    against = -entry.side.sign
    offsets = [
        (OrderType.STOP, plan.stop_loss and against * plan.stop_loss * _PERCENT, None),
        (OrderType.TRAILING_STOP, None, plan.trailing_stop and plan.trailing_stop * _PERCENT),
        (OrderType.LIMIT, plan.take_profit and -against * plan.take_profit * _PERCENT, None),
    ]
    wanted = [(kind, offset, trail) for kind, offset, trail in offsets if offset is not None or trail is not None]
    first = replace(
        entry,
        order_class=OrderClass.BRACKET if len(wanted) > 1 else OrderClass.OTO,
        group_id=entry.client_order_id,
    )
    legs = [
        replace(
            first,
            client_order_id=client_order_id(entry.intent_id, leg + number, entry.attempt),
            side=Side.SELL if entry.side is Side.BUY else Side.BUY,
            order_type=kind,
            time_in_force=TimeInForce.GTC,
            parent_order_id=entry.client_order_id,
            entry_offset_pct=offset,
            trail_pct=trail,
        )
        for number, (kind, offset, trail) in enumerate(wanted, start=1)
    ]
    return [first, *legs]


def committed(working: Iterable[WorkingOrder]) -> list[WorkingOrder]:
    """The orders that will trade whatever the market does, as far as risk is concerned.

    A leg is none of them: it can only close what is held, and gives way to any other order that does. Of orders that
    cancel each other the one with the most shares to do stands for all.
    """
    counted: dict[str, WorkingOrder] = {}
    for one in working:
        order = one.order
        if order.is_leg:
            continue
        is_one_of_several = order.order_class is OrderClass.OCO and order.group_id is not None
        name = order.group_id if is_one_of_several and order.group_id else order.client_order_id
        if name not in counted or one.remaining > counted[name].remaining:
            counted[name] = one
    return list(counted.values())


def follow_positions(
    positions: Mapping[tuple[str, str], Decimal], working: Iterable[WorkingOrder], at: datetime, session: date
) -> list[OrderEvent]:
    """Let the legs (in place) cover what each strategy holds, less what its other orders are about to close.

    `positions` are signed shares by (strategy, symbol). Too many shares are taken from the oldest entry's legs, missing
    ones, which an order that ended without closing them leaves, are given to them. Legs without a share are held while
    another order may still leave some, and cancelled after it; so are those whose entry ended without an execution.
    """
    live = [one for one in working if not one.is_terminal]
    legs = [one for one in live if one.order.is_leg]
    if not legs:
        return []
    entries = {one.order.client_order_id for one in live}
    events: list[OrderEvent] = []
    active: dict[tuple[str, str, Side], list[WorkingOrder]] = defaultdict(list)
    for leg in legs:
        if leg.entry_price is not None:
            active[leg.order.strategy, leg.order.symbol, leg.order.side].append(leg)
        elif leg.order.parent_order_id not in entries:
            events.append(leg.move(OrderStatus.CANCELED, at, session, detail="the entry ended without an execution"))
    closing: dict[tuple[str, str, Side], Decimal] = defaultdict(Decimal)
    for one in committed(live):
        closing[one.order.strategy, one.order.symbol, one.order.side] += one.remaining
    for key, protecting in sorted(active.items()):
        strategy, symbol, side = key
        held = max(ZERO, -side.sign * positions.get((strategy, symbol), ZERO) // 1)
        shares = _shares(protecting, held - closing[key])
        for leg in sorted(protecting, key=_age):
            is_over = not closing[key] and leg.order.parent_order_id not in entries
            events.extend(_cover(leg, shares[leg.order.group_id], is_over, at, session))
    return events


def _age(leg: WorkingOrder) -> tuple[datetime, str]:
    return leg.order.submitted_at, leg.order.client_order_id


def _shares(legs: Sequence[WorkingOrder], cover: Decimal) -> dict[str | None, Decimal]:
    """How many of the `cover` shares the legs of each group protect: the newest what they have, the oldest the rest."""
    groups: dict[str | None, Decimal] = {}
    for leg in sorted(legs, key=_age):
        groups[leg.order.group_id] = max(groups.get(leg.order.group_id, ZERO), leg.remaining)
    left = max(ZERO, cover)
    shares = {}
    for group in reversed(groups):
        shares[group] = min(groups[group], left)
        left -= shares[group]
    shares[next(iter(groups))] += left
    return shares


def _cover(leg: WorkingOrder, qty: Decimal, is_over: bool, at: datetime, session: date) -> list[OrderEvent]:
    if qty <= 0 and is_over:
        return [leg.move(OrderStatus.CANCELED, at, session, detail="nothing is left to protect")]
    if qty <= 0:
        is_held = leg.status is OrderStatus.HELD
        return [] if is_held else [leg.move(OrderStatus.HELD, at, session, detail="another order closes the position")]
    if leg.status is OrderStatus.HELD or leg.remaining != qty:
        return leg.resume(at, session, "as many shares as there are to protect", leg.filled_qty + qty)
    return []
