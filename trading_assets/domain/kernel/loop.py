"""The compiled time loop: fills, marks, bookings, breakers and decisions of every moment, as simulation.advance,
decide and submit do them for market orders of the day.

It stops where it needs more rows, the order of competing orders, or arithmetic that it does not have, before it has
changed anything of the moment that would be done twice.
"""

from __future__ import annotations

from trading_assets.domain.kernel.arrays import (
    ACTIVITIES,
    BREAKERS,
    DONE,
    FILLS,
    GROW,
    INTENTS,
    MOMENT,
    ORDERS,
    PENDING,
    RANK,
    REFUSED,
    SESSION,
    Log,
    Market,
    State,
    Terms,
    Wants,
)
from trading_assets.domain.kernel.compiler import compiled, entry
from trading_assets.domain.kernel.decisions import decide
from trading_assets.domain.kernel.fills import meet, needs_ranks, take_fills
from trading_assets.domain.kernel.marks import ends_orders, mark, trip_breakers, write_equity
from trading_assets.domain.kernel.sessions import begin_session, end_session


@entry
def live(market: Market, wants: Wants, terms: Terms, state: State, log: Log) -> int:
    """Live through the moments from state's own one on; DONE, or why not."""
    numbers = state.numbers
    for moment in range(numbers[MOMENT], market.ends.size):
        if not _has_room(market, state, log, market.session[moment]):
            return GROW
        if market.session[moment] != numbers[SESSION] and not begin_session(market, state, log, moment):
            return REFUSED
        if numbers[ORDERS]:
            if meet(market, terms, state, log, moment) and needs_ranks(state, log, moment):
                return RANK
            take_fills(market, terms, state, log, moment)
        if not mark(market, state, moment):
            return REFUSED
        if market.closes_session[moment] and not end_session(market, state, log, moment):
            return REFUSED
        write_equity(state, log, moment)
        trip_breakers(terms, state, log, moment)
        if ends_orders(state, log):
            return REFUSED
        if wants.is_decision[moment] and not decide(market, wants, terms, state, log, moment):
            return REFUSED
        numbers[MOMENT] = moment + 1
    return DONE


@compiled
def _has_room(market: Market, state: State, log: Log, session: int) -> bool:
    """Whether the logs have rows for all that one moment can bring."""
    numbers = state.numbers
    strategies, symbols = state.qty.shape
    most = 2 * strategies * symbols
    actions = strategies * (market.first_action[session + 1] - market.first_action[session])
    return bool(
        numbers[INTENTS] + most <= log.intents.shape[0]
        and numbers[ORDERS] + most <= log.orders.shape[0]
        and numbers[FILLS] + numbers[ORDERS] <= log.fills.shape[0]
        and numbers[ACTIVITIES] + 2 * actions + 2 <= log.activities.shape[0]
        and numbers[PENDING] + actions <= log.pending.shape[0]
        and numbers[BREAKERS] + 4 <= log.breakers.shape[0]
    )
