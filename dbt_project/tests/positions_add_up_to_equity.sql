{{ config(meta={'dagster': {'ref': {'name': 'int_equity__daily'}}}) }}
-- The account is the sum of its strategies: value, realised and unrealised profit at each session's end.
with summed as (
    select
        account_id,
        session_date,
        sum(value_usd) as positions_usd,
        sum(realised_usd) as realised_usd,
        sum(unrealised_usd) as unrealised_usd
    from {{ ref('stg_execution__positions') }}
    group by account_id, session_date
)

select
    equity.account_id,
    equity.session_date,
    equity.positions_usd,
    summed.positions_usd as summed_positions_usd,
    equity.realised_usd,
    summed.realised_usd as summed_realised_usd,
    equity.unrealised_usd,
    summed.unrealised_usd as summed_unrealised_usd
from {{ ref('int_equity__daily') }} as equity
inner join summed on equity.account_id = summed.account_id and equity.session_date = summed.session_date
where
    abs(equity.positions_usd - summed.positions_usd) > {{ tolerance_usd() }}
    or abs(equity.realised_usd - summed.realised_usd) > {{ tolerance_usd() }}
    or abs(equity.unrealised_usd - summed.unrealised_usd) > {{ tolerance_usd() }}
