select
    account_id,
    strategy,
    symbol,
    count(*) as order_count,
    sum(decision_usd) as decision_usd,
    {{ ratio('sum(filled_qty * decision_price)', 'sum(decision_usd)') }} * 100 as filled_pct,
    sum(delay_usd) as delay_usd,
    sum(impact_usd) as impact_usd,
    sum(fee_usd) as fee_usd,
    sum(opportunity_usd) as opportunity_usd,
    sum(shortfall_usd) as shortfall_usd,
    {{ ratio('sum(shortfall_usd)', 'sum(decision_usd)') }} * 1e4 as shortfall_bps
from {{ ref('fct_order_costs') }}
where shortfall_usd is not null
group by account_id, strategy, symbol
