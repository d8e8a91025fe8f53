{{ config(meta={'dagster': {'ref': {'name': 'fct_daily_equity'}}}) }}
-- Two ways of counting the same returns: in Python, by the performance asset, and here.
-- A session that still trades may have moved on between the two: those rows are left out.
select
    daily.account_id,
    daily.session_date,
    daily.return_pct,
    performance.return_pct as performance_return_pct,
    daily.drawdown_pct,
    performance.drawdown_pct as performance_drawdown_pct
from {{ ref('fct_daily_equity') }} as daily
inner join {{ source('analytics', 'performance') }} as performance
    on daily.account_id = performance.account_id and daily.session_date = performance.session_date
where
    abs(daily.equity_usd - performance.equity_usd) <= {{ tolerance_usd() }}
    and (
        abs(daily.return_pct - performance.return_pct) > 1e-6
        or abs(daily.drawdown_pct - performance.drawdown_pct) > 1e-6
    )
