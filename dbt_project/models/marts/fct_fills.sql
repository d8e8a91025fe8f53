select
    fills.execution_id,
    fills.client_order_id,
    fills.account_id,
    fills.strategy,
    fills.symbol,
    fills.side,
    fills.qty,
    fills.signed_qty,
    fills.price,
    fills.qty * fills.price as value_usd,
    coalesce(fees.fee_usd, 0) as fee_usd,
    decided.reference_price,
    {{ ratio('(fills.price - decided.reference_price) * sign(fills.signed_qty)', 'decided.reference_price') }}
    * 1e4 as slippage_bps,
    fills.filled_at,
    fills.booked_at,
    fills.session_date
from {{ ref('stg_execution__fills') }} as fills
inner join {{ ref('stg_execution__orders') }} as orders on fills.client_order_id = orders.client_order_id
left join {{ ref('stg_risk__verdicts') }} as decided
    on orders.intent_id = decided.intent_id and orders.parent_order_id is null
left join {{ ref('int_fees__allocated_to_fills') }} as fees on fills.execution_id = fees.execution_id
