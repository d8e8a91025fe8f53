{{ config(meta={'dagster': {'ref': {'name': 'stg_risk__position_risk'}}}) }}
-- Values add up to gross and net, contributions to the value at risk and to what lies beyond it.
select
    risk.account_id,
    risk.at
from {{ ref('stg_risk__portfolio_risk') }} as risk
left join {{ ref('stg_risk__position_risk') }} as positions
    on risk.account_id = positions.account_id and risk.at = positions.at
group by
    risk.account_id,
    risk.at,
    risk.gross_usd,
    risk.net_usd,
    risk.positions,
    risk.parametric_var_95_usd,
    risk.cvar_95_usd
having
    count(positions.symbol) <> risk.positions
    or abs(coalesce(sum(abs(positions.value_usd)), 0) - risk.gross_usd) > {{ tolerance_usd() }}
    or abs(coalesce(sum(positions.value_usd), 0) - risk.net_usd) > {{ tolerance_usd() }}
    or abs(coalesce(sum(positions.component_var_95_usd), 0) - risk.parametric_var_95_usd) > {{ tolerance_usd() }}
    or abs(coalesce(sum(positions.component_cvar_95_usd), 0) - risk.cvar_95_usd) > {{ tolerance_usd() }}
