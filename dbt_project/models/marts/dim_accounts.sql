select
    accounts.account_id,
    accounts.broker,
    accounts.fingerprint,
    accounts.inception_session,
    accounts.opening_cash_usd,
    accounts.opened_at,
    current_account.account_id is not null as is_current
from {{ ref('stg_execution__accounts') }} as accounts
left join {{ source('ops', 'current_account') }} as current_account
    on accounts.account_id = current_account.account_id
