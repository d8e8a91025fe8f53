select
    account_id,
    broker,
    fingerprint,
    inception_session,
    opening_cash_usd,
    opened_at,
    row_number() over (order by opened_at desc, account_id desc) = 1 as is_current
from {{ ref('stg_execution__accounts') }}
