select
    account_id,
    date_trunc('month', session_date)::date as month,
    count(*) as session_count,
    (array_agg(equity_usd order by session_date desc))[1] as closing_equity_usd,
    sum(session_flow_usd) as flow_usd,
    ({{ growth('return_pct / 100') }} - 1) * 100 as return_pct
from {{ ref('fct_daily_equity') }}
group by account_id, date_trunc('month', session_date)::date
