-- Every order with the prices of its life. Quantities and prices are those of a share as it was ordered, so that a
-- split on the way is neither gain nor cost.
with filled as (
    select
        fills.client_order_id,
        round(sum(fills.qty / coalesce(splits.ratio, 1)), 9) as filled_qty,
        sum(fills.qty * fills.price) as filled_usd,
        sum(coalesce(fees.fee_usd, 0)) as fee_usd,
        min(fills.filled_at) as first_filled_at
    from {{ ref('stg_execution__fills') }} as fills
    left join {{ ref('int_fees__allocated_to_fills') }} as fees on fills.execution_id = fees.execution_id
    left join {{ ref('int_orders__split_ratios') }} as splits
        on
            fills.client_order_id = splits.client_order_id
            and fills.filled_at >= splits.from_at
            and fills.filled_at < splits.until_at
    group by fills.client_order_id
),

moved as (
    select
        client_order_id,
        max(session_date) as last_session
    from {{ ref('stg_execution__order_events') }}
    group by client_order_id
),

arrived as (
    select
        orders.client_order_id,
        filled.filled_qty,
        filled.filled_usd,
        filled.fee_usd,
        -- An order that executes within the bar it was sent in arrives at the last price known by then.
        coalesce(first_bar.open, last_bar.close)::numeric as price,
        first_bar.ts as at,
        case when orders.is_terminal then greatest(moved.last_session, first_bar.session_date) end as last_session
    from {{ ref('stg_execution__order_states') }} as orders
    left join moved on orders.client_order_id = moved.client_order_id
    left join filled on orders.client_order_id = filled.client_order_id
    -- The first price at which the order could trade. Ten days are longer than any closure of the market; with the
    -- timeframes by name each lookup is one range of the key.
    left join lateral (
        select
            bars.open,
            bars.ts,
            bars.session_date
        from {{ ref('fct_bars') }} as bars
        where
            orders.symbol = bars.symbol
            and bars.timeframe in ('1d', '1h')
            and bars.ts >= orders.submitted_at
            and bars.ts < orders.submitted_at + interval '10 days'
            and bars.ts <= coalesce(filled.first_filled_at, 'infinity')
        order by bars.ts, bars.timeframe desc
        limit 1
    ) as first_bar on true
    left join lateral (
        select bars.close
        from {{ ref('fct_bars') }} as bars
        where
            orders.symbol = bars.symbol
            and bars.timeframe in ('1d', '1h')
            and bars.closes_at <= orders.submitted_at
            and bars.ts >= orders.submitted_at - interval '10 days'
        order by bars.closes_at desc, bars.timeframe desc
        limit 1
    ) as last_bar on true
)

select
    orders.client_order_id,
    orders.account_id,
    orders.strategy,
    orders.symbol,
    orders.side,
    orders.session_date,
    decided.decision_at,
    orders.submitted_at,
    orders.status,
    orders.qty as ordered_qty,
    coalesce(arrived.filled_qty, 0) as filled_qty,
    coalesce(arrived.filled_usd, 0) as filled_usd,
    coalesce(arrived.fee_usd, 0) as fee_usd,
    decided.reference_price as decision_price,
    round(arrived.price * coalesce(split_before.ratio, 1), 9) as arrival_price,
    round(closing.close * coalesce(split_since.ratio, 1), 9) as close_price,
    closing.session_date as close_session
from {{ ref('stg_execution__order_states') }} as orders
inner join arrived on orders.client_order_id = arrived.client_order_id
-- Nobody decides a leg at a close: the market chooses when it executes.
left join {{ ref('stg_risk__verdicts') }} as decided
    on orders.intent_id = decided.intent_id and orders.parent_order_id is null
left join {{ ref('int_orders__split_ratios') }} as split_before
    on
        arrived.client_order_id = split_before.client_order_id
        and arrived.at >= split_before.from_at
        and arrived.at < split_before.until_at
-- The close of the session an order ended in; of one that still works, the newest close.
left join lateral (
    select
        bars.close::numeric as close,
        bars.closes_at,
        bars.session_date
    from {{ ref('fct_bars') }} as bars
    where
        orders.symbol = bars.symbol
        and bars.timeframe in ('1d', '1h')
        and bars.closes_at >= orders.submitted_at
        and bars.ts >= orders.submitted_at - interval '1 day'
        and bars.ts < coalesce(arrived.last_session + interval '2 days', 'infinity')
        and bars.session_date <= coalesce(arrived.last_session, 'infinity')
    order by bars.closes_at desc, bars.timeframe desc
    limit 1
) as closing on true
left join {{ ref('int_orders__split_ratios') }} as split_since
    on
        orders.client_order_id = split_since.client_order_id
        and closing.closes_at >= split_since.from_at
        and closing.closes_at < split_since.until_at
