{{ config(meta={'dagster': {'ref': {'name': 'stg_execution__orders'}}}) }}
-- An order needs an approval that had not expired, and a verdict that let at least its quantity through. A leg shares
-- those of its entry, and is on the other side.
select
    orders.client_order_id,
    orders.intent_id,
    orders.qty,
    approvals.qty as approved_qty,
    verdicts.outcome
from {{ ref('stg_execution__orders') }} as orders
left join {{ ref('stg_risk__approvals') }} as approvals
    on
        orders.intent_id = approvals.intent_id
        and orders.qty <= approvals.qty
        and orders.submitted_at between approvals.approved_at and approvals.expires_at
left join {{ ref('stg_risk__verdicts') }} as verdicts
    on
        approvals.intent_id = verdicts.intent_id
        and approvals.qty <= verdicts.approved_qty
        and verdicts.outcome in ('approved', 'reduced')
        and orders.account_id = verdicts.account_id
        and orders.symbol = verdicts.symbol
        and (orders.side = verdicts.side) = (orders.parent_order_id is null)
where verdicts.intent_id is null
