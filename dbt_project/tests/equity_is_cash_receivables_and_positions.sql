{{ config(meta={'dagster': {'ref': {'name': 'stg_execution__equity'}}}) }}
select
    account_id,
    at,
    equity_usd,
    cash_usd + receivable_usd + positions_usd as held_usd
from {{ ref('stg_execution__equity') }}
where abs(equity_usd - (cash_usd + receivable_usd + positions_usd)) > {{ tolerance_usd() }}
