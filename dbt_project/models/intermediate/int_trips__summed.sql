with trips as (
    select
        account_id,
        strategy,
        symbol,
        trip_no,
        sign(max(signed_qty) filter (where is_opening)) as direction,
        min(at) as opened_at,
        min(session_date) as opened_session,
        max(at) as last_at,
        max(session_date) as last_session,
        sum(signed_qty) as open_qty,
        count(*) filter (where kind = 'fill') as fill_count,
        sum(cash_usd) as gross_pnl_usd,
        sum(fee_usd) as fees_usd,
        sum(signed_qty) filter (where signed_qty > 0 and kind <> 'split') as bought_qty,
        -sum(cash_usd) filter (where signed_qty > 0) as bought_usd,
        -sum(signed_qty) filter (where signed_qty < 0 and kind <> 'split') as sold_qty,
        sum(cash_usd) filter (where signed_qty < 0) as sold_usd
    from {{ ref('int_fills__cut_into_trips') }}
    group by account_id, strategy, symbol, trip_no
)

select
    *,
    open_qty <> 0 as is_open,
    case when open_qty = 0 then last_at end as closed_at,
    case when open_qty = 0 then last_session end as closed_session,
    case direction when 1 then bought_qty else sold_qty end as entry_qty,
    case direction when 1 then bought_usd else sold_usd end as entry_usd,
    case direction when 1 then sold_qty else bought_qty end as exit_qty,
    case direction when 1 then sold_usd else bought_usd end as exit_usd
from trips
