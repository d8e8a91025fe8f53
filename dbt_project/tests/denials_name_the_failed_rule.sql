{{ config(meta={'dagster': {'ref': {'name': 'stg_risk__verdicts'}}}) }}
-- A denied intent has at least one failed check, and each of its reason codes comes from one.
select
    verdicts.intent_id,
    verdicts.reason_codes
from {{ ref('stg_risk__verdicts') }} as verdicts
left join {{ ref('stg_risk__verdict_checks') }} as checks
    on verdicts.intent_id = checks.intent_id and not checks.is_passed
where verdicts.outcome = 'denied'
group by verdicts.intent_id, verdicts.reason_codes
having
    count(checks.rule_id) = 0
    or not coalesce(array_agg(checks.reason_code) filter (where checks.reason_code is not null), '{}')
    @> verdicts.reason_codes
