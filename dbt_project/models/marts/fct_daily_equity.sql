-- Time-weighted: money that comes or goes counts from the start of its session and is no profit.
with changes as (
    select
        *,
        lag(equity_usd, 1, 0) over by_session + flows_usd - lag(flows_usd, 1, 0) over by_session as invested_usd,
        flows_usd - lag(flows_usd, 1, 0) over by_session as session_flow_usd,
        realised_usd - lag(realised_usd, 1, 0) over by_session as session_realised_usd,
        unrealised_usd - lag(unrealised_usd, 1, 0) over by_session as session_unrealised_usd,
        dividends_usd - lag(dividends_usd, 1, 0) over by_session as session_dividends_usd,
        fees_usd - lag(fees_usd, 1, 0) over by_session as session_fees_usd
    from {{ ref('int_equity__daily') }}
    window by_session as (partition by account_id order by session_date)
),

returns as (
    select
        *,
        coalesce({{ ratio('equity_usd - invested_usd', 'invested_usd') }}, 0) as return_ratio
    from changes
),

grown as (
    select
        *,
        {{ growth('return_ratio', 'over (partition by account_id order by session_date)') }} as growth_index
    from returns
)

select
    account_id,
    session_date,
    at as as_of,
    cash_usd,
    receivable_usd,
    positions_usd,
    equity_usd,
    session_flow_usd,
    session_realised_usd,
    session_unrealised_usd,
    session_dividends_usd,
    session_fees_usd,
    return_ratio * 100 as return_pct,
    growth_index,
    (growth_index / greatest(1, max(growth_index) over (partition by account_id order by session_date)) - 1) * 100
        as drawdown_pct
from grown
