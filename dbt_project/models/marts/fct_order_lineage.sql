-- One row an order, with everything that led to it: the bar, the signal, the target, the verdict, and what came of it.
select
    orders.client_order_id,
    orders.account_id,
    orders.strategy,
    orders.strategy_version,
    orders.symbol,
    bars.timeframe as bar_timeframe,
    bars.ts as bar_ts,
    bars.version as newest_bar_version,
    bars.close as bar_close,
    bars.source as bar_source,
    verdicts.decision_at,
    signals.signal,
    signals.reason as signal_reason,
    targets.target_weight,
    verdicts.intent_id,
    verdicts.purpose,
    verdicts.outcome,
    array_to_string(verdicts.reason_codes, ', ') as reason_codes,
    verdicts.requested_qty,
    verdicts.approved_qty,
    approvals.approved_at,
    orders.side,
    orders.ordered_qty,
    orders.submitted_at,
    orders.status,
    orders.filled_qty,
    orders.average_price,
    orders.first_filled_at
from {{ ref('fct_orders') }} as orders
inner join {{ ref('stg_risk__verdicts') }} as verdicts on orders.intent_id = verdicts.intent_id
inner join {{ ref('stg_risk__approvals') }} as approvals on orders.intent_id = approvals.intent_id
left join {{ ref('stg_strategy__targets') }} as targets
    on
        verdicts.strategy = targets.strategy
        and verdicts.strategy_version = targets.strategy_version
        and verdicts.symbol = targets.symbol
        and verdicts.decision_at = targets.decision_at
left join {{ ref('stg_strategy__signals') }} as signals
    on
        verdicts.strategy = signals.strategy
        and verdicts.strategy_version = signals.strategy_version
        and verdicts.symbol = signals.symbol
        and verdicts.decision_at = signals.decision_at
left join {{ ref('fct_bars') }} as bars
    on
        signals.symbol = bars.symbol
        and signals.timeframe = bars.timeframe
        and signals.decision_at = bars.closes_at
