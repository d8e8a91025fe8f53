select
    intent_id,
    rule_id,
    is_passed,
    reason_code,
    value,
    limit_value,
    allowed_qty
from {{ source('risk', 'verdict_checks') }}
