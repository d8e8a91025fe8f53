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
    verdicts.reference_price,
    {{ ratio('(fills.price - verdicts.reference_price) * sign(fills.signed_qty)', 'verdicts.reference_price') }}
    * 1e4 as slippage_bps,
    fills.filled_at,
    fills.booked_at,
    fills.session_date
from {{ ref('stg_execution__fills') }} as fills
inner join {{ ref('stg_execution__orders') }} as orders on fills.client_order_id = orders.client_order_id
inner join {{ ref('stg_risk__verdicts') }} as verdicts on orders.intent_id = verdicts.intent_id
left join {{ ref('int_fees__allocated_to_fills') }} as fees on fills.execution_id = fees.execution_id
