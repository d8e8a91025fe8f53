"""Readings of the prices of the order: their grid, its limit and stop, what is bid and asked."""

from __future__ import annotations

from decimal import Decimal
from math import ceil, floor
from typing import TYPE_CHECKING

from trading_assets.domain.market.tick_sizes import tick_size
from trading_assets.domain.risk.inputs import InputMissingError, positive
from trading_assets.domain.risk.readings.circumstances import circumstances, limit_usd
from trading_assets.domain.risk.rules.ruling import MILLION, Usd

if TYPE_CHECKING:
    from trading_assets.domain.risk.case import Case, Standing


def tick_from_one(standing: Standing) -> Usd:
    """The step of prices from one dollar on, as the law is on the day."""
    return int(tick_size(standing.snapshot.session_date).from_one_usd * MILLION)


def tick_below_one(standing: Standing) -> Usd:
    return int(tick_size(standing.snapshot.session_date).below_one_usd * MILLION)


def limit_price(case: Case) -> Usd:
    """0 for an order without one, such as a market order."""
    return _order_price(limit_usd(case), "limit_usd")


def stop_price(standing: Standing) -> Usd:
    """0 for an order without one; a protective leg has its price from the entry's execution and is no order yet."""
    return _order_price(circumstances(standing).terms.stop_usd, "stop_usd")


def bid(case: Case) -> Usd:
    """0 at a simulated broker, which has no quotes."""
    quote = _quote(case)
    return 0 if quote is None else floor(quote[0] * MILLION)


def ask(case: Case) -> Usd:
    quote = _quote(case)
    return 0 if quote is None else ceil(quote[1] * MILLION)


def _order_price(price: Decimal | None, name: str) -> int:
    """To the micro-dollar; a finer price is on no grid and is rounded to one that is on none either."""
    if price is None:
        return 0
    micros = positive(price, name) * MILLION
    return int(micros) if micros == int(micros) else int(micros) // 10 * 10 + 1


def _quote(case: Case) -> tuple[Decimal, Decimal] | None:
    """What is bid and asked; None at a simulated broker."""
    link = circumstances(case).link
    if link is None:
        return None
    if case.intent.symbol not in link.quotes:
        raise InputMissingError("quotes", case.intent.symbol)
    of_bid, of_ask = link.quotes[case.intent.symbol]
    return positive(of_bid, "bid", case.intent.symbol), positive(of_ask, "ask", case.intent.symbol)


OF_ACCOUNT = (tick_from_one, tick_below_one, stop_price)
OF_ORDER = (limit_price, bid, ask)
