{{ config(meta={'dagster': {'ref': {'name': 'fct_order_costs'}}}) }}
-- The shortfall, from the ledger alone: shares in the account at the close are worth it, and fills and fees were paid.
with paid as (
    select
        fills.client_order_id,
        sum(fills.signed_qty * fills.price) + sum(coalesce(fees.fee_usd, 0)) as cash_usd
    from {{ ref('stg_execution__fills') }} as fills
    left join {{ ref('int_fees__allocated_to_fills') }} as fees on fills.execution_id = fees.execution_id
    group by fills.client_order_id
),

profits as (
    select
        costs.client_order_id,
        costs.shortfall_usd,
        {{ signed_qty('orders.side', 'orders.qty') }} * (costs.close_price - decided.reference_price)
            as on_paper_usd,
        {{ signed_qty('orders.side', 'costs.filled_qty') }} * costs.close_price - coalesce(paid.cash_usd, 0)
            as traded_usd
    from {{ ref('fct_order_costs') }} as costs
    inner join {{ ref('stg_execution__orders') }} as orders on costs.client_order_id = orders.client_order_id
    inner join {{ ref('stg_risk__verdicts') }} as decided on orders.intent_id = decided.intent_id
    left join paid on costs.client_order_id = paid.client_order_id
    where costs.shortfall_usd is not null
)

select *
from profits
where abs(shortfall_usd - (on_paper_usd - traded_usd)) > {{ tolerance_usd() }}
