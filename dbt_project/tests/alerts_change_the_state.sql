{{ config(meta={'dagster': {'ref': {'name': 'stg_risk__alert_events'}}}) }}
-- Each alert begins where the one before it ended, is later, and changes something: nothing is told twice.
with ordered as (
    select
        *,
        lag(state, 1, 'clear') over (partition by account_id, limit_name order by event_no) as state_before,
        lag(at) over (partition by account_id, limit_name order by event_no) as at_before
    from {{ ref('stg_risk__alert_events') }}
)

select
    account_id,
    limit_name,
    event_no
from ordered
where previous <> state_before or state = previous or at <= at_before
