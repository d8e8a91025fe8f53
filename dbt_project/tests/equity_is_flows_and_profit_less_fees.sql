{{ config(meta={'dagster': {'ref': {'name': 'stg_execution__equity'}}}) }}
select
    account_id,
    at,
    equity_usd,
    flows_usd + realised_usd + unrealised_usd + dividends_usd - fees_usd as explained_usd
from {{ ref('stg_execution__equity') }}
where abs(equity_usd - (flows_usd + realised_usd + unrealised_usd + dividends_usd - fees_usd)) > {{ tolerance_usd() }}
