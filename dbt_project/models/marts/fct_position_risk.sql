select
    positions.account_id,
    positions.at,
    positions.session_date,
    positions.symbol,
    positions.sector,
    positions.value_usd,
    {{ ratio('positions.value_usd', 'risk.equity_usd') }} * 100 as weight_pct,
    positions.beta,
    positions.volatility_pct,
    positions.component_var_95_usd,
    {{ ratio('positions.component_var_95_usd', 'risk.parametric_var_95_usd') }} * 100 as share_of_var_pct,
    positions.component_cvar_95_usd,
    {{ ratio('positions.component_cvar_95_usd', 'risk.cvar_95_usd') }} * 100 as share_of_cvar_pct,
    positions.return_count
from {{ ref('stg_risk__position_risk') }} as positions
inner join {{ ref('stg_risk__portfolio_risk') }} as risk
    on positions.account_id = risk.account_id and positions.at = risk.at
