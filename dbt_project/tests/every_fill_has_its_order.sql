{{ config(meta={'dagster': {'ref': {'name': 'stg_execution__fills'}}}) }}
-- A fill belongs to an order of the same account, strategy, symbol and side, and comes after it.
select
    fills.execution_id,
    fills.client_order_id
from {{ ref('stg_execution__fills') }} as fills
left join {{ ref('stg_execution__orders') }} as orders
    on
        fills.client_order_id = orders.client_order_id
        and fills.account_id = orders.account_id
        and fills.strategy = orders.strategy
        and fills.symbol = orders.symbol
        and fills.side = orders.side
        and fills.filled_at >= orders.submitted_at
where orders.client_order_id is null
