-- A broker charges a session's sales at once. Each sale bears its share: the SEC fee by value, the TAF by shares.
-- Shares are differences of rounded running totals, so that they add up to the fee exactly.
with charged as (
    select
        fees.activity_id,
        fills.execution_id,
        -fees.amount_usd as fee_usd,
        case fees.kind when 'fee_sec' then fills.qty * fills.price else fills.qty end as basis
    from {{ ref('stg_execution__activities') }} as fees
    inner join {{ ref('stg_execution__fills') }} as fills
        on
            fees.account_id = fills.account_id
            and fees.session_date = fills.session_date
            and (fees.strategy is null or fees.strategy = fills.strategy)
            and (fees.symbol is null or fees.symbol = fills.symbol)
    where fees.kind in ('fee_sec', 'fee_taf') and fills.side = 'sell'
),

running as (
    select
        *,
        round(
            fee_usd * sum(basis) over (partition by activity_id order by execution_id)
            / sum(basis) over (partition by activity_id), 6
        ) as fee_so_far_usd
    from charged
)

select
    activity_id,
    execution_id,
    fee_so_far_usd - coalesce(lag(fee_so_far_usd) over (partition by activity_id order by execution_id), 0) as fee_usd
from running
