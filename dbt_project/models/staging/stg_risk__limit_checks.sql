select
    account_id,
    at,
    session_date,
    limit_name,
    value,
    limit_value,
    detail,
    missing
from {{ source('risk', 'limit_checks') }}
