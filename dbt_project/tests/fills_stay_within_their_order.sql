{{ config(meta={'dagster': {'ref': {'name': 'stg_execution__fills'}}}) }}
-- The newest event of an order carries its quantity after splits.
select
    orders.client_order_id,
    orders.working_qty,
    sum(fills.qty) as filled_qty
from {{ ref('stg_execution__order_states') }} as orders
inner join {{ ref('stg_execution__fills') }} as fills on orders.client_order_id = fills.client_order_id
group by orders.client_order_id, orders.working_qty
having sum(fills.qty) > orders.working_qty
