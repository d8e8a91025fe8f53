{{ config(meta={'dagster': {'ref': {'name': 'int_trips__summed'}}}) }}
-- Closed trips plus what open trips have earned so far is the profit of the ledger's newest positions.
with newest as (
    select distinct on (account_id, strategy, symbol)
        account_id,
        strategy,
        symbol,
        as_of,
        value_usd,
        realised_usd + unrealised_usd as profit_usd
    from {{ ref('stg_execution__positions') }}
    order by account_id, strategy, symbol, session_date desc
),

counted as (
    select
        newest.account_id,
        newest.strategy,
        newest.symbol,
        newest.profit_usd,
        newest.value_usd + coalesce(sum(trips.gross_pnl_usd), 0) as trips_usd
    from newest
    left join {{ ref('int_trips__summed') }} as trips
        on
            newest.account_id = trips.account_id
            and newest.strategy = trips.strategy
            and newest.symbol = trips.symbol
    group by newest.account_id, newest.strategy, newest.symbol, newest.profit_usd, newest.value_usd
)

select *
from counted
where abs(profit_usd - trips_usd) > {{ tolerance_usd() }}
