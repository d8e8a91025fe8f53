with checks as (
    select
        intent_id,
        count(*) as checks_asked,
        count(*) filter (where not is_passed) as checks_failed
    from {{ ref('stg_risk__verdict_checks') }}
    group by intent_id
)

select
    verdicts.intent_id,
    verdicts.account_id,
    verdicts.strategy,
    verdicts.strategy_version,
    verdicts.symbol,
    verdicts.side,
    verdicts.purpose,
    verdicts.decision_at,
    verdicts.session_date,
    verdicts.outcome,
    verdicts.reason_codes[1] as first_reason_code,
    array_to_string(verdicts.reason_codes, ', ') as reason_codes,
    verdicts.target_weight,
    verdicts.requested_qty,
    verdicts.approved_qty,
    verdicts.reference_price,
    verdicts.approved_qty * verdicts.reference_price as approved_usd,
    coalesce(checks.checks_asked, 0) as checks_asked,
    coalesce(checks.checks_failed, 0) as checks_failed
from {{ ref('stg_risk__verdicts') }} as verdicts
left join checks on verdicts.intent_id = checks.intent_id
