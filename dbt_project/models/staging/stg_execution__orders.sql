select
    client_order_id,
    intent_id,
    attempt,
    account_id,
    strategy,
    strategy_version,
    symbol,
    side,
    qty,
    order_type,
    time_in_force,
    limit_price,
    stop_price,
    submitted_at,
    session_date
from {{ source('execution', 'orders') }}
