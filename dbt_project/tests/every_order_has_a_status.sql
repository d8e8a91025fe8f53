{{ config(meta={'dagster': {'ref': {'name': 'stg_execution__orders'}}}) }}
select orders.client_order_id
from {{ ref('stg_execution__orders') }} as orders
left join {{ ref('stg_execution__order_events') }} as events on orders.client_order_id = events.client_order_id
where events.client_order_id is null
