select
    activity_id,
    account_id,
    strategy,
    symbol,
    kind,
    qty_delta,
    amount_usd,
    at,
    settles_on,
    session_date
from {{ source('execution', 'activities') }}
