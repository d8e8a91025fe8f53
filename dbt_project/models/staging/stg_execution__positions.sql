select
    account_id,
    session_date,
    strategy,
    symbol,
    as_of,
    qty,
    avg_cost_usd,
    mark_price,
    value_usd,
    realised_usd,
    unrealised_usd
from {{ source('execution', 'positions') }}
