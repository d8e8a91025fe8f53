{{ config(meta={'dagster': {'ref': {'name': 'stg_market__financials'}}}) }}
-- A restated figure never counts before the one it replaced, and none before it could be read.
select
    symbol,
    item,
    period_end,
    version
from (
    select
        symbol,
        item,
        period_end,
        version,
        counts_from,
        filed_at,
        lag(counts_from) over (
            partition by symbol, statement, item, months, period_end
            order by version
        ) as counted_before_from
    from {{ ref('stg_market__financials') }}
) as versions
where counts_from < counted_before_from or counts_from < filed_at
