{{ config(meta={'dagster': {'ref': {'name': 'stg_execution__positions'}}}) }}
-- Every snapshot of a position is what the fills and corporate actions booked until then add up to.
with movements as (
    select
        account_id,
        strategy,
        symbol,
        booked_at,
        signed_qty
    from {{ ref('stg_execution__fills') }}
    union all
    select
        account_id,
        strategy,
        symbol,
        at as booked_at,
        qty_delta as signed_qty
    from {{ ref('stg_execution__activities') }}
    where qty_delta <> 0
),

changes as (
    select
        *,
        sum(signed_qty) over (partition by account_id, strategy, symbol order by booked_at) as qty,
        lead(booked_at, 1, 'infinity') over (partition by account_id, strategy, symbol order by booked_at) as next_at
    from movements
)

select
    positions.account_id,
    positions.session_date,
    positions.strategy,
    positions.symbol,
    positions.qty as position_qty,
    changes.qty as booked_qty
from {{ ref('stg_execution__positions') }} as positions
left join changes
    on
        positions.account_id = changes.account_id
        and positions.strategy = changes.strategy
        and positions.symbol = changes.symbol
        and positions.as_of >= changes.booked_at
        and positions.as_of < changes.next_at
where positions.qty <> coalesce(changes.qty, 0)
