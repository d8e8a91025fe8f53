select
    strategy,
    strategy_version,
    symbol,
    decision_at,
    session_date,
    signal,
    capital_weight,
    target_weight,
    sizing,
    volatility_pct,
    reason_code
from {{ source('strategy', 'targets') }}
