select
    strategy,
    strategy_version,
    symbol,
    decision_at,
    session_date,
    signal,
    capital_weight,
    target_weight
from {{ source('strategy', 'targets') }}
