{{ config(meta={'dagster': {'ref': {'name': 'stg_execution__positions'}}}) }}
-- What was filled in a session is listed in that session's snapshot, once the snapshot was taken.
select
    fills.execution_id,
    fills.account_id,
    fills.session_date,
    fills.strategy,
    fills.symbol
from {{ ref('stg_execution__fills') }} as fills
where
    exists (
        select 1
        from {{ ref('stg_execution__positions') }} as positions
        where
            positions.account_id = fills.account_id
            and positions.session_date = fills.session_date
            and positions.as_of >= fills.booked_at
    )
    and not exists (
        select 1
        from {{ ref('stg_execution__positions') }} as positions
        where
            positions.account_id = fills.account_id
            and positions.session_date = fills.session_date
            and positions.strategy = fills.strategy
            and positions.symbol = fills.symbol
    )
