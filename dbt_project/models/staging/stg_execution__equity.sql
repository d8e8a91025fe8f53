select
    account_id,
    at,
    session_date,
    cash_usd,
    receivable_usd,
    positions_usd,
    equity_usd,
    realised_usd,
    unrealised_usd,
    dividends_usd,
    fees_usd,
    flows_usd,
    high_water_mark_usd
from {{ source('execution', 'equity') }}
