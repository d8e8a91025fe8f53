{{ config(severity='warn', meta={'dagster': {'ref': {'name': 'stg_risk__verdicts'}}}) }}
-- No review read a close that was restated only after its decision. A warning: a replay over a restatement that was
-- stored before the replay trades on the corrected tape, and the ledger it wrote is sound all the same.
select verdicts.intent_id
from {{ ref('stg_risk__verdicts') }} as verdicts
inner join {{ source('market', 'bars') }} as later
    on
        verdicts.symbol = later.symbol
        and verdicts.decision_at = later.closes_at
        and verdicts.decision_at < later.known_at
        and verdicts.reference_price = round(later.close::numeric, 9)
left join {{ source('market', 'bars') }} as known
    on
        later.symbol = known.symbol
        and later.timeframe = known.timeframe
        and later.ts = known.ts
        and verdicts.reference_price = round(known.close::numeric, 9)
        and (known.version = 1 or known.known_at <= verdicts.decision_at)
where later.version > 1 and known.symbol is null
