with filled as (
    select
        client_order_id,
        sum(qty) as filled_qty,
        sum(qty * price) as filled_usd,
        min(filled_at) as first_filled_at
    from {{ ref('stg_execution__fills') }}
    group by client_order_id
)

select
    orders.client_order_id,
    orders.intent_id,
    orders.attempt,
    orders.account_id,
    orders.strategy,
    orders.strategy_version,
    orders.symbol,
    orders.side,
    orders.qty as ordered_qty,
    orders.working_qty,
    orders.order_type,
    orders.time_in_force,
    orders.limit_price,
    orders.stop_price,
    orders.submitted_at,
    orders.session_date,
    orders.status,
    orders.status_at,
    orders.is_terminal,
    coalesce(filled.filled_qty, 0) as filled_qty,
    filled.filled_usd / filled.filled_qty as average_price,
    filled.first_filled_at
from {{ ref('stg_execution__order_states') }} as orders
left join filled on orders.client_order_id = filled.client_order_id
