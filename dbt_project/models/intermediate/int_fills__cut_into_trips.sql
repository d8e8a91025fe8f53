-- Every change of a strategy's position in a symbol, numbered by the round trip it belongs to.
-- A trip lasts from flat to flat; a fill that crosses zero is cut in two: one leg closes, one leg opens.
-- Movements count in the order in which the account learnt of them; at one moment corporate actions come before fills.
with movements as (
    select
        fills.account_id,
        fills.strategy,
        fills.symbol,
        'fill' as kind,
        2 as rank_in_moment,
        fills.booked_at,
        fills.filled_at as at,
        fills.session_date,
        fills.execution_id as movement_id,
        fills.signed_qty,
        -fills.signed_qty * fills.price as cash_usd,
        coalesce(fees.fee_usd, 0) as fee_usd
    from {{ ref('stg_execution__fills') }} as fills
    left join {{ ref('int_fees__allocated_to_fills') }} as fees on fills.execution_id = fees.execution_id
    union all
    select
        account_id,
        strategy,
        symbol,
        kind,
        case when kind in ('split', 'transfer') then 0 when kind in ('external_trade', 'bust') then 3 else 1 end
            as rank_in_moment,
        at as booked_at,
        at,
        session_date,
        activity_id as movement_id,
        qty_delta as signed_qty,
        amount_usd as cash_usd,
        0 as fee_usd
    from {{ ref('stg_execution__activities') }}
    where kind = 'split' or kind in {{ kinds_of_priced_shares() }}
),

running as (
    select
        *,
        row_number() over in_order as movement_no,
        sum(signed_qty) over in_order as qty_after
    from movements
    window
        in_order as (
            partition by account_id, strategy, symbol
            order by booked_at, rank_in_moment, at, movement_id
        )
),

legs as (
    select
        running.*,
        leg.leg_no,
        leg.leg_qty,
        leg.is_opening
    from running
    cross join
        lateral (
            select
                1 as leg_no,
                case
                    when sign(running.qty_after - running.signed_qty) * sign(running.qty_after) = -1
                        then running.signed_qty - running.qty_after
                    else running.signed_qty
                end as leg_qty,
                running.qty_after = running.signed_qty as is_opening
            union all
            select
                2 as leg_no,
                running.qty_after as leg_qty,
                true as is_opening
            where sign(running.qty_after - running.signed_qty) * sign(running.qty_after) = -1
        ) as leg
)

select
    account_id,
    strategy,
    symbol,
    sum(is_opening::int) over (
        partition by account_id, strategy, symbol
        order by movement_no, leg_no
    ) as trip_no,
    movement_id,
    leg_no,
    kind,
    is_opening,
    at,
    session_date,
    leg_qty as signed_qty,
    round(cash_usd * leg_qty / signed_qty, 6) as cash_usd,
    round(fee_usd * leg_qty / signed_qty, 6) as fee_usd
from legs
