-- From which session on a strategy's positions are those of which version: that of its newest fill.
with traded as (
    select
        fills.account_id,
        fills.strategy,
        fills.session_date,
        (array_agg(orders.strategy_version order by fills.booked_at desc, fills.execution_id desc))[1]
            as strategy_version
    from {{ ref('stg_execution__fills') }} as fills
    inner join {{ ref('stg_execution__orders') }} as orders on fills.client_order_id = orders.client_order_id
    group by fills.account_id, fills.strategy, fills.session_date
)

select
    account_id,
    strategy,
    strategy_version,
    session_date as first_session,
    lead(session_date, 1, 'infinity') over (partition by account_id, strategy order by session_date) as next_session
from traded
