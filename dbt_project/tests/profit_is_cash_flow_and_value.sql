{{ config(meta={'dagster': {'ref': {'name': 'stg_execution__positions'}}}) }}
-- Realised plus unrealised profit of a position, counted the other way: cash that came back plus what is still held.
with flows as (
    select
        account_id,
        strategy,
        symbol,
        booked_at,
        -signed_qty * price as cash_usd
    from {{ ref('stg_execution__fills') }}
    union all
    select
        account_id,
        strategy,
        symbol,
        at as booked_at,
        amount_usd as cash_usd
    from {{ ref('stg_execution__activities') }}
    where kind in {{ kinds_of_priced_shares() }}
),

changes as (
    select
        *,
        sum(cash_usd) over (partition by account_id, strategy, symbol order by booked_at) as cash_so_far_usd,
        lead(booked_at, 1, 'infinity') over (partition by account_id, strategy, symbol order by booked_at) as next_at
    from flows
)

select
    positions.account_id,
    positions.session_date,
    positions.strategy,
    positions.symbol,
    positions.realised_usd + positions.unrealised_usd as profit_usd,
    coalesce(changes.cash_so_far_usd, 0) + positions.value_usd as cash_and_value_usd
from {{ ref('stg_execution__positions') }} as positions
left join changes
    on
        positions.account_id = changes.account_id
        and positions.strategy = changes.strategy
        and positions.symbol = changes.symbol
        and positions.as_of >= changes.booked_at
        and positions.as_of < changes.next_at
where
    abs(
        positions.realised_usd + positions.unrealised_usd - coalesce(changes.cash_so_far_usd, 0) - positions.value_usd
    ) > {{ tolerance_usd() }}
