select
    account_id,
    at,
    session_date,
    symbol,
    sector,
    value_usd,
    return_count,
    beta,
    volatility_pct,
    marginal_var_95,
    component_var_95_usd,
    component_cvar_95_usd
from {{ source('risk', 'position_risk') }}
