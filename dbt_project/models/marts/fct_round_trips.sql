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

results as (
    select
        trips.*,
        coalesce(income.dividends_usd, 0) as dividends_usd,
        case when not trips.is_open then trips.gross_pnl_usd + coalesce(income.dividends_usd, 0) - trips.fees_usd end
            as net_pnl_usd
    from {{ ref('int_trips__summed') }} as trips
    left join income
        on
            trips.account_id = income.account_id
            and trips.strategy = income.strategy
            and trips.symbol = income.symbol
            and trips.trip_no = income.trip_no
),

sessions as (
    select
        account_id,
        session_date,
        row_number() over (partition by account_id order by session_date) as session_no
    from {{ ref('int_equity__daily') }}
)

select
    results.account_id,
    results.strategy,
    results.symbol,
    results.trip_no::integer as trip_no,
    case results.direction when 1 then 'long' else 'short' end as direction,
    results.is_open,
    results.opened_at,
    results.opened_session,
    results.closed_at,
    results.closed_session,
    (closed.session_no - opened.session_no)::integer as held_sessions,
    results.fill_count::integer as fill_count,
    results.entry_qty,
    results.entry_usd / results.entry_qty as entry_price,
    results.exit_usd / results.exit_qty as exit_price,
    case when not results.is_open then results.gross_pnl_usd end as gross_pnl_usd,
    results.dividends_usd,
    results.fees_usd,
    results.net_pnl_usd,
    {{ ratio('results.net_pnl_usd', 'results.entry_usd') }} * 100 as return_pct
from results
left join sessions as opened on results.account_id = opened.account_id and results.opened_session = opened.session_date
left join sessions as closed on results.account_id = closed.account_id and results.closed_session = closed.session_date
