with income as (
    select
        trips.account_id,
        trips.strategy,
        trips.symbol,
        trips.trip_no,
        sum(activities.amount_usd) as dividends_usd
    from {{ ref('int_trips__summed') }} as trips
    inner join {{ ref('stg_execution__activities') }} as activities
        on
            trips.account_id = activities.account_id
            and trips.strategy = activities.strategy
            and trips.symbol = activities.symbol
            and activities.kind = 'dividend'
            and activities.at > trips.opened_at
            and activities.at <= coalesce(trips.closed_at, 'infinity')
    group by trips.account_id, trips.strategy, trips.symbol, trips.trip_no
),

sessions as (
    select
        account_id,
        session_date,
        row_number() over (partition by account_id order by session_date) as session_no
    from {{ ref('int_equity__daily') }}
)

select
    trips.account_id,
    trips.strategy,
    trips.symbol,
    trips.trip_no::integer as trip_no,
    case trips.direction when 1 then 'long' else 'short' end as direction,
    trips.is_open,
    trips.opened_at,
    trips.opened_session,
    trips.closed_at,
    trips.closed_session,
    (closed.session_no - opened.session_no)::integer as held_sessions,
    trips.fill_count::integer as fill_count,
    trips.entry_qty,
    trips.entry_usd / trips.entry_qty as entry_price,
    trips.exit_usd / trips.exit_qty as exit_price,
    case when not trips.is_open then trips.gross_pnl_usd end as gross_pnl_usd,
    coalesce(income.dividends_usd, 0) as dividends_usd,
    trips.fees_usd,
    case when not trips.is_open then trips.gross_pnl_usd + coalesce(income.dividends_usd, 0) - trips.fees_usd end
        as net_pnl_usd,
    case when not trips.is_open
            then
                {{ ratio('trips.gross_pnl_usd + coalesce(income.dividends_usd, 0) - trips.fees_usd', 'trips.entry_usd') }}
                * 100
    end as return_pct
from {{ ref('int_trips__summed') }} as trips
left join income
    on
        trips.account_id = income.account_id
        and trips.strategy = income.strategy
        and trips.symbol = income.symbol
        and trips.trip_no = income.trip_no
left join sessions as opened on trips.account_id = opened.account_id and trips.opened_session = opened.session_date
left join sessions as closed on trips.account_id = closed.account_id and trips.closed_session = closed.session_date
