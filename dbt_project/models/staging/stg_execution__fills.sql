select
    execution_id,
    client_order_id,
    account_id,
    strategy,
    symbol,
    side,
    qty,
    {{ signed_qty() }} as signed_qty,
    price,
    filled_at,
    booked_at,
    session_date
from {{ source('execution', 'fills') }}
