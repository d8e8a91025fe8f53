"""What always holds of a recorded ledger: each invariant is a query for the rows that violate it.

The numbers are those of the trading rules. The database itself refuses most violations; these find what it cannot.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, LiteralString

if TYPE_CHECKING:
    import psycopg

SHOWN = 20


@dataclass(frozen=True, slots=True)
class Invariant:
    """`name` is a sentence that is true when no row is found; the query's rows are (subject, what is wrong)."""

    number: str
    name: str
    description: str
    query: LiteralString


def violations(connection: psycopg.Connection, invariant: Invariant) -> list[tuple[str, str]]:
    """What violates the invariant, the first SHOWN of it."""
    return connection.execute(invariant.query).fetchmany(SHOWN)


def count_rows(connection: psycopg.Connection) -> int:
    """Remember how many rows the tables have that nothing is deleted from; returns how many tables there are."""
    return connection.execute(
        "insert into ops.row_counts (table_name, ever_count) "
        "select table_name, ever_count from ops.append_only_counts()"
    ).rowcount


_MOVED: LiteralString = """
    select account_id, strategy, symbol, booked_at as at, case side when 'buy' then qty else -qty end as qty,
           (case side when 'buy' then -1 else 1 end) * round(qty * price, 6) as usd, true as counts
    from execution.fills
    union all
    select account_id, strategy, symbol, at, qty_delta, amount_usd,
           kind in ('split', 'cash_in_lieu', 'transfer', 'delisting', 'external_trade', 'bust')
    from execution.activities
"""
"""What moved shares or cash; `counts` where it is part of what a position earned."""
_NEWEST: LiteralString = "select account_id, max(at) as as_of from execution.equity group by account_id"

POSITIONS = Invariant(
    "INV-1",
    "positions_are_the_fold_of_the_ledger",
    "The newest position of each strategy and symbol is what executions, busts and share activities add up to.",
    f"""
    with newest as ({_NEWEST}), moved as ({_MOVED}),
    folded as (
        select account_id, strategy, symbol, sum(moved.qty) as qty
        from moved join newest using (account_id)
        where moved.at <= newest.as_of and symbol is not null and strategy is not null
        group by account_id, strategy, symbol
    ),
    held as (select positions.* from execution.positions join newest using (account_id, as_of))
    select concat_ws(' ', account_id, strategy, symbol),
           'position ' || coalesce(held.qty, 0) || ', ledger ' || coalesce(folded.qty, 0)
    from held full join folded using (account_id, strategy, symbol)
    where coalesce(held.qty, 0) <> coalesce(folded.qty, 0)
    order by 1
    """,  # noqa: S608
)
CASH = Invariant(
    "INV-2",
    "cash_is_what_the_ledger_moved",
    "Cash and receivables of every account at its newest bar close are the sum of all cash movements, to 0.01 USD.",
    f"""
    with moved as ({_MOVED}),
    newest as (select distinct on (account_id) * from execution.equity order by account_id, at desc)
    select newest.account_id, 'cash ' || cash_usd + receivable_usd || ', ledger ' || sum(moved.usd)
    from newest join moved on moved.account_id = newest.account_id and moved.at <= newest.at
    group by newest.account_id, cash_usd, receivable_usd
    having abs(cash_usd + receivable_usd - sum(moved.usd)) > 0.01
    order by 1
    """,  # noqa: S608
)
ONE_ORDER = Invariant(
    "INV-3",
    "an_intent_has_one_live_order_and_no_order_executes_more_than_was_ordered",
    "No two orders of one intent are open, and what executed beyond an order's quantity is an incident.",
    """
    select intent_id, count(*) || ' live orders'
    from execution.order_states
    where not is_terminal and parent_order_id is null and status <> 'PENDING_REPLACE'
    group by intent_id having count(*) > 1
    union all
    select states.client_order_id, 'filled ' || sum(fills.qty) || ' of ' || states.working_qty
    from execution.order_states as states
    join execution.fills using (client_order_id)
    where not exists (
        select from execution.activities as busts
        where busts.account_id = fills.account_id and busts.kind = 'bust'
          and busts.detail ->> 'execution_id' = fills.execution_id
    ) and not exists (
        select from execution.incidents
        where incidents.kind = 'OVERFILLED' and incidents.subject = states.client_order_id
    )
    group by states.client_order_id, states.working_qty
    having sum(fills.qty) > states.working_qty
    order by 1
    """,
)
APPROVED = Invariant(
    "INV-4",
    "every_order_uses_an_approval",
    "Every order is for what was approved, and for no more of it.",
    """
    select orders.client_order_id, 'ordered ' || orders.qty || ', approved ' || coalesce(approvals.qty, 0)
    from execution.orders
    left join risk.approvals using (intent_id)
    left join risk.verdicts using (intent_id)
    where orders.parent_order_id is null and (
        approvals.qty is null or orders.qty > approvals.qty
        or (orders.account_id, orders.strategy, orders.symbol, orders.side)
        is distinct from (verdicts.account_id, verdicts.strategy, verdicts.symbol, verdicts.side)
    )
    order by 1
    """,
)
NO_LOOK_AHEAD = Invariant(
    "INV-5",
    "nothing_is_decided_sent_or_filled_before_it_could_be",
    "No verdict has a price that was stored after it, no approval and no order is from before its decision, none is "
    "booked as executed before it was sent, and no simulated one fills before.",
    """
    select verdicts.intent_id, 'priced ' || reference_price || ', not stored by ' || recorded_at
    from risk.verdicts
    -- A review is priced by the bar that closes at its decision; the closes of months that are archived are not here.
    join market.bars on bars.symbol = verdicts.symbol and closes_at = decision_at
    where reference_price is not null
    group by verdicts.intent_id
    having not bool_or(known_at <= recorded_at and round(close::numeric, 9) = reference_price)
    union all
    select intent_id, 'approved at ' || approved_at || ', decided at ' || decision_at
    from risk.approvals join risk.verdicts using (intent_id)
    where approved_at < decision_at
    union all
    select orders.client_order_id, 'sent at ' || submitted_at || ', decided at ' || decision_at
    from execution.orders join risk.verdicts using (intent_id)
    where submitted_at < decision_at
    union all
    select execution_id, 'filled at ' || filled_at || ', booked at ' || booked_at || ', sent at ' || submitted_at
    from execution.fills
    join execution.orders using (client_order_id)
    join execution.accounts on accounts.account_id = orders.account_id
    where booked_at < submitted_at or (broker = 'simulated' and filled_at < submitted_at)
    order by 1
    """,
)
LEGAL_MOVES = Invariant(
    "INV-6",
    "orders_move_only_along_the_table",
    "Every order begins with being sent, and each of its moves is one that the table of transitions has.",
    """
    select client_order_id, coalesce(before, 'nothing') || ' to ' || status
    from (
        select client_order_id, event_no, status,
               lag(status) over (partition by client_order_id order by event_no) as before
        from execution.order_events
    ) as moves
    where case when before is null then status <> 'SUBMITTING' else not exists (
        select from execution.order_transitions where from_status = before and to_status = status
    ) end
    order by client_order_id, event_no
    """,
)
ONE_NAME = Invariant(
    "INV-7",
    "every_order_at_a_broker_is_one_order_here",
    "No order of ours has two names at the broker, and none that the broker accepted has none.",
    """
    select client_order_id, count(*) || ' orders at the broker'
    from execution.broker_orders where client_order_id is not null
    group by account_id, client_order_id having count(*) > 1
    union all
    select client_order_id, 'accepted without a name at the broker'
    from execution.submission_answers as answers
    where status = 'ACKED' and broker_order_id is not null and not exists (
        select from execution.broker_orders where broker_orders.client_order_id = answers.client_order_id
    )
    order by 1
    """,
)
EQUITY = Invariant(
    "INV-8",
    "equity_is_explained_to_the_cent",
    "At every bar close equity is flows, realised and unrealised results and dividends, less fees, to 0.01 USD.",
    """
    select concat_ws(' ', account_id, at),
           'equity ' || equity_usd || ', explained '
           || flows_usd + realised_usd + unrealised_usd + dividends_usd - fees_usd
    from execution.equity
    where abs(equity_usd - (flows_usd + realised_usd + unrealised_usd + dividends_usd - fees_usd)) > 0.01
       or abs(equity_usd - (cash_usd + receivable_usd + positions_usd)) > 0.01
    order by account_id, at
    """,
)
EVENTS = Invariant(
    "INV-9",
    "every_stored_row_is_told_by_one_event",
    "The events' numbers have no gap but for archived ones, no draft was left behind, and they tell of as many rows as "
    "were ever stored.",
    """
    select event_no::text, 'the event before it is missing'
    from (select event_no, lag(event_no) over (order by event_no) as before from ops.events) as numbered
    where before is not null and event_no <> before + 1 and not exists (
        select from ops.archives
        where table_name = 'ops.events' and (key_range -> 'event_no' ->> 0)::bigint <= event_no - 1
          and (key_range -> 'event_no' ->> 1)::bigint >= before + 1
    )
    union all
    select draft_no::text, 'a draft of ' || topic || ' was committed' from ops.event_drafts
    union all
    select table_name, 'told of ' || coalesce(told.row_count, 0) || ' rows, stored ' || ever_count
    from ops.append_only_counts()
    left join (
        select case topic when 'bars_stored' then 'market.bars'
                          when 'instruments_changed' then 'market.instrument_facts'
                          else facts ->> 'table' end as table_name,
               sum((facts ->> 'rows_written')::bigint) as row_count
        from ops.events group by 1
    ) as told using (table_name)
    where table_name in ('market.bars', 'market.corporate_actions', 'market.financials', 'market.fundamentals',
                         'market.instrument_facts', 'market.quotes')
      and coalesce(told.row_count, 0) <> ever_count
      and not exists (select from ops.archive_states where table_name = 'ops.events' and state = 'removed')
    order by 1
    """,
)
WHOLE_ACCOUNT = Invariant(
    "INV-10",
    "strategies_and_others_hold_what_the_account_holds",
    "The positions of all strategies and of others add up to the account's, and every share is somebody's.",
    f"""
    with newest as ({_NEWEST}), moved as ({_MOVED}),
    account as (
        select account_id, symbol, sum(moved.qty) as qty
        from moved join newest using (account_id)
        where moved.at <= newest.as_of and symbol is not null
        group by account_id, symbol
    ),
    shared as (
        select account_id, symbol, sum(qty) as qty
        from execution.positions join newest using (account_id, as_of)
        group by account_id, symbol
    )
    select concat_ws(' ', account_id, symbol),
           'strategies and others ' || coalesce(shared.qty, 0) || ', account ' || coalesce(account.qty, 0)
    from account full join shared using (account_id, symbol)
    where coalesce(account.qty, 0) <> coalesce(shared.qty, 0)
    order by 1
    """,  # noqa: S608
)


def _versions(table: LiteralString, key: LiteralString, said: LiteralString) -> LiteralString:
    """Versions in `table` of the same `key` that are no next ones: a number is missing, or the same is `said` again."""
    return f"""
    select concat_ws(' ', '{table}', {key}, version) as subject, 'follows version ' || coalesce(before, 0) as wrong
    from (
        select {key}, version, ({said}) as said,
               lag(version) over versions as before, lag(({said})) over versions as said_before
        from {table}
        where ({key}) in (select {key} from {table} where version > 1)
        window versions as (partition by {key} order by version)
    ) as numbered
    where version <> coalesce(before, 0) + 1 or said = said_before
    """  # noqa: S608


_FACTS: LiteralString = (
    "name, asset_class, exchange, currency, sector, is_tradable, is_shortable, is_fractionable, is_easy_to_borrow, "
    "is_unqualified_partnership, first_session, listed_on, delisted_on"
)
_TERMS: LiteralString = "split_ratio, amount_usd, pay_date, new_symbol, share_ratio, value_usd, reason"
VERSIONED: tuple[tuple[LiteralString, LiteralString, LiteralString], ...] = (
    ("market.bars", "symbol, timeframe, ts", "open, high, low, close, volume"),
    ("market.corporate_actions", "symbol, ex_date, kind, distributed_symbol", _TERMS),
    ("market.financials", "symbol, statement, item, months, period_end", "amount, currency"),
    ("market.fundamentals", "symbol, topic, item", "text, number, is_gone"),
    ("market.instrument_facts", "instrument_id, source", _FACTS),
    ("market.broker_sessions", "source, session_date", "opens_at, closes_at"),
    ("market.trading_halts", "symbol, halted_at", "resumed_at, reason, is_withdrawn, source"),
)
"""Tables of versions: what finds a fact, and what a version says of it."""
VERSIONS = Invariant(
    "INV-11",
    "the_same_version_is_the_same",
    "The versions of every stored fact are numbered without a gap and each differs from the one before; backtests of "
    "the same configuration, code, data and sessions have the same result.",
    f"""
    {" union all ".join(_versions(*one) for one in VERSIONED)}
    union all
    select 'backtests ' || string_agg(backtest_id, ' ' order by backtest_id), 'have different results'
    from strategy.backtests
    where kind <> 'walk_forward'
    group by configuration, code_versions, sources, first_session, last_session, data_hash
    having count(distinct (final_equity_usd, fills, denied, trades, fees_usd, dividends_usd)) > 1
    order by 1
    """,  # noqa: S608
)
HALTED = Invariant(
    "INV-12",
    "nothing_is_sent_after_a_halt",
    "No request was written down later than a second after the account was halted, but what closes it.",
    """
    select submissions.client_order_id,
           'written down at ' || submissions.recorded_at || ', halted at ' || halts.recorded_at
    from execution.submissions
    join execution.orders using (client_order_id)
    join risk.verdicts using (intent_id)
    cross join lateral (
        select distinct on (subject) state, recorded_at
        from risk.state_events as events
        where events.scope = 'account' and events.subject in ('*', orders.account_id)
          and events.recorded_at < submissions.recorded_at - interval '1 second'
        order by subject, event_no desc
    ) as halts
    where halts.state = 'halted' and verdicts.purpose <> 'flatten'
    order by 1
    """,
)
NOTHING_DELETED = Invariant(
    "INV-13",
    "nothing_was_deleted",
    "Tables to which rows are only added have at least as many as at every earlier count, archived ones included.",
    """
    select counts.table_name, counts.ever_count || ' rows, were ' || max(earlier.ever_count)
    from ops.append_only_counts() as counts join ops.row_counts as earlier using (table_name)
    group by counts.table_name, counts.ever_count
    having counts.ever_count < max(earlier.ever_count)
    order by 1
    """,
)
RESULTS = Invariant(
    "INV-14",
    "results_by_session_strategy_and_symbol_are_those_of_the_account",
    "In every session the results of all positions add up to the account's, and each position's newest result is the "
    "cash that came back and what is held, to 0.01 USD.",
    f"""
    with shared as (
        select account_id, as_of, sum(realised_usd) as realised_usd, sum(unrealised_usd) as unrealised_usd
        from execution.positions group by account_id, as_of
    ),
    newest as ({_NEWEST}), moved as ({_MOVED}),
    paid as (
        select account_id, strategy, symbol, sum(usd) as usd
        from moved join newest using (account_id)
        where moved.at <= newest.as_of and moved.counts
        group by account_id, strategy, symbol
    )
    select concat_ws(' ', account_id, as_of),
           'positions ' || shared.realised_usd + shared.unrealised_usd
           || ', account ' || equity.realised_usd + equity.unrealised_usd
    from shared join execution.equity using (account_id)
    where equity.at = shared.as_of and (
        abs(shared.realised_usd - equity.realised_usd) > 0.01
        or abs(shared.unrealised_usd - equity.unrealised_usd) > 0.01
    )
    union all
    select concat_ws(' ', account_id, strategy, symbol),
           'result ' || realised_usd + unrealised_usd || ', paid and held ' || coalesce(paid.usd, 0) + value_usd
    from execution.positions
    join newest using (account_id, as_of)
    left join paid using (account_id, strategy, symbol)
    where abs(realised_usd + unrealised_usd - coalesce(paid.usd, 0) - value_usd) > 0.01
    order by 1
    """,  # noqa: S608
)
INVARIANTS = (
    *(POSITIONS, CASH, ONE_ORDER, APPROVED, NO_LOOK_AHEAD, LEGAL_MOVES, ONE_NAME, EQUITY, EVENTS, WHOLE_ACCOUNT),
    *(VERSIONS, HALTED, NOTHING_DELETED, RESULTS),
)
