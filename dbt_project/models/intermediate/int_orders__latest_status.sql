select distinct on (orders.client_order_id)
    orders.*,
    events.status,
    events.qty as working_qty,
    events.at as status_at,
    events.status in ('FILLED', 'CANCELED', 'EXPIRED', 'REPLACED', 'REJECTED', 'NEVER_ARRIVED') as is_terminal
from {{ ref('stg_execution__orders') }} as orders
inner join {{ ref('stg_execution__order_events') }} as events on orders.client_order_id = events.client_order_id
order by orders.client_order_id, events.event_no desc
