select
    client_order_id,
    event_no,
    status,
    qty,
    at,
    session_date,
    detail
from {{ source('execution', 'order_events') }}
