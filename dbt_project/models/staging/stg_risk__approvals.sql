select
    intent_id,
    qty,
    approved_at,
    expires_at
from {{ source('risk', 'approvals') }}
