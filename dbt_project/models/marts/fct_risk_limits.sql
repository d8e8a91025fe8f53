with newest_checks as (
    select distinct on (account_id, limit_name) *
    from {{ ref('stg_risk__limit_checks') }}
    order by account_id asc, limit_name asc, at desc
),

newest_alerts as (
    select distinct on (account_id, limit_name) *
    from {{ ref('stg_risk__alert_events') }}
    order by account_id asc, limit_name asc, event_no desc
)

select
    checks.account_id,
    checks.limit_name,
    checks.value::double precision as value,
    checks.limit_value::double precision as limit_value,
    {{ ratio('checks.value', 'checks.limit_value') }} * 100 as usage_pct,
    (1 - {{ ratio('checks.value', 'checks.limit_value') }}) * 100 as headroom_pct,
    checks.detail,
    checks.missing,
    coalesce(alerts.state, 'clear') as alert_state,
    alerts.at as alert_since,
    checks.at as checked_at,
    checks.session_date,
    extract(epoch from checks.at - risk.marked_at)::double precision as price_age_s
from newest_checks as checks
inner join {{ ref('stg_risk__portfolio_risk') }} as risk
    on checks.account_id = risk.account_id and checks.at = risk.at
left join newest_alerts as alerts
    on checks.account_id = alerts.account_id and checks.limit_name = alerts.limit_name
