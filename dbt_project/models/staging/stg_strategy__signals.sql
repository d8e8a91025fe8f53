select
    strategy,
    strategy_version,
    symbol,
    timeframe,
    decision_at,
    session_date,
    signal,
    reason
from {{ source('strategy', 'signals') }}
