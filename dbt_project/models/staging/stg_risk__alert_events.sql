select
    account_id,
    limit_name,
    event_no,
    state,
    previous,
    at,
    session_date,
    value,
    limit_value,
    detail
from {{ source('risk', 'alert_events') }}
