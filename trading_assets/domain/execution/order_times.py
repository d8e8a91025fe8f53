"""Until when an order can be sent for what it is meant for. Which kinds are taken at all is order_matrix's business."""

from __future__ import annotations

from datetime import datetime

from trading_assets.domain.execution.order_matrix import CLOSING_CUT_OFF, OPENING_CUT_OFF
from trading_assets.domain.execution.orders import TimeInForce
from trading_assets.domain.market.sessions import NEW_YORK, is_session, next_session, session


def cut_off(at: datetime, time_in_force: TimeInForce) -> datetime:
    """The last moment (UTC) for an order sent at `at`: before the next auction it is for, else the next close.

    An order sent at the close itself works in the next session. Raises OutsideCalendarError.
    """
    is_for_opening = time_in_force is TimeInForce.OPG
    day = at.astimezone(NEW_YORK).date()
    trading = session(day if is_session(day) else next_session(day))
    if at >= (trading.opens_at if is_for_opening else trading.closes_at):
        trading = session(next_session(day))
    if is_for_opening:
        return trading.opens_at - OPENING_CUT_OFF
    return trading.closes_at - CLOSING_CUT_OFF if time_in_force is TimeInForce.CLS else trading.closes_at
