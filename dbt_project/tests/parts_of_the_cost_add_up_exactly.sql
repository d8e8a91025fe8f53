{{ config(meta={'dagster': {'ref': {'name': 'fct_order_costs'}}}) }}
-- Delay, impact, fees and opportunity are the shortfall, to the smallest unit of money, or none of them is known.
select *
from {{ ref('fct_order_costs') }}
where
    delay_usd + impact_usd + fee_usd + opportunity_usd is distinct from shortfall_usd
