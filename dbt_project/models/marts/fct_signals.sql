select
    signals.strategy,
    signals.strategy_version,
    signals.symbol,
    signals.decision_at,
    signals.timeframe,
    signals.session_date,
    signals.signal,
    signals.reason,
    targets.capital_weight,
    targets.target_weight,
    targets.sizing,
    targets.volatility_pct,
    targets.reason_code
from {{ ref('stg_strategy__signals') }} as signals
left join {{ ref('stg_strategy__targets') }} as targets
    on
        signals.strategy = targets.strategy
        and signals.strategy_version = targets.strategy_version
        and signals.symbol = targets.symbol
        and signals.decision_at = targets.decision_at
