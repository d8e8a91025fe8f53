select
    account_id,
    broker,
    fingerprint,
    inception_session,
    opening_cash_usd,
    opened_at
from {{ source('execution', 'accounts') }}
