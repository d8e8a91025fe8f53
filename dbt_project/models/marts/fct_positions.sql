select
    positions.account_id,
    positions.session_date,
    positions.strategy,
    positions.symbol,
    positions.as_of,
    positions.qty,
    positions.avg_cost_usd,
    positions.mark_price,
    positions.value_usd,
    {{ ratio('positions.value_usd', 'equity.equity_usd') }} * 100 as weight_pct,
    positions.realised_usd,
    positions.unrealised_usd
from {{ ref('stg_execution__positions') }} as positions
left join {{ ref('int_equity__daily') }} as equity
    on positions.account_id = equity.account_id and positions.session_date = equity.session_date
