{{ config(meta={'dagster': {'ref': {'name': 'stg_strategy__signals'}}}) }}
-- A signal's time is the end of a bar that is on record.
select
    signals.strategy,
    signals.symbol,
    signals.decision_at
from {{ ref('stg_strategy__signals') }} as signals
left join {{ ref('stg_market__bars') }} as bars
    on
        signals.symbol = bars.symbol
        and signals.timeframe = bars.timeframe
        and signals.decision_at = bars.closes_at
where bars.symbol is null
