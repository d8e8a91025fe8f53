-- Implementation shortfall (Perold 1988): the profit of a portfolio on paper, which trades all shares at the decision
-- price and pays nothing, minus that of the shares that were traded. Positive = cost.
with counted as (
    select
        *,
        {{ signed_qty(qty='1') }} as side_sign,
        ordered_qty - filled_qty as unfilled_qty,
        decision_price is not null
        and (filled_qty = 0 or arrival_price is not null)
        and (filled_qty = ordered_qty or close_price is not null) as is_measured
    from {{ ref('int_orders__priced') }}
),

parts as (
    select
        *,
        case when is_measured then filled_qty * coalesce(arrival_price - decision_price, 0) * side_sign end
            as delay_usd,
        case when is_measured then (filled_usd - filled_qty * coalesce(arrival_price, 0)) * side_sign end
            as impact_usd,
        case when is_measured then unfilled_qty * coalesce(close_price - decision_price, 0) * side_sign end
            as opportunity_usd,
        -- Shares that were traded have the same close on paper as in the account: without a close, any price will do.
        case
            when is_measured
                then
                    ordered_qty * (coalesce(close_price, decision_price) - decision_price) * side_sign
                    - (filled_qty * coalesce(close_price, decision_price) - filled_usd) * side_sign
        end as gross_shortfall_usd
    from counted
)

-- Parts are differences of rounded running totals, so that they add up to the shortfall to the smallest unit.
select
    client_order_id,
    account_id,
    strategy,
    symbol,
    side,
    session_date,
    decision_at,
    submitted_at,
    status,
    ordered_qty,
    filled_qty,
    decision_price,
    arrival_price,
    filled_usd / nullif(filled_qty, 0) as average_price,
    close_price,
    close_session,
    ordered_qty * decision_price as decision_usd,
    round(delay_usd, 6) as delay_usd,
    round(delay_usd + impact_usd, 6) - round(delay_usd, 6) as impact_usd,
    fee_usd,
    round(delay_usd + impact_usd + opportunity_usd, 6) - round(delay_usd + impact_usd, 6) as opportunity_usd,
    round(gross_shortfall_usd, 6) + fee_usd as shortfall_usd,
    {{ ratio('gross_shortfall_usd + fee_usd', 'ordered_qty * decision_price') }} * 1e4 as shortfall_bps
from parts
