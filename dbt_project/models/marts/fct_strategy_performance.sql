with newest as (
    select distinct on (account_id, strategy, symbol)
        account_id,
        strategy,
        symbol,
        session_date,
        value_usd,
        realised_usd,
        unrealised_usd
    from {{ ref('stg_execution__positions') }}
    order by account_id, strategy, symbol, session_date desc
),

held as (
    select
        account_id,
        strategy,
        max(session_date) as as_of_session,
        sum(value_usd) as positions_usd,
        sum(realised_usd) as realised_usd,
        sum(unrealised_usd) as unrealised_usd
    from newest
    group by account_id, strategy
),

dividends as (
    select
        account_id,
        strategy,
        sum(amount_usd) as dividends_usd
    from {{ ref('stg_execution__activities') }}
    where kind = 'dividend'
    group by account_id, strategy
),

traded as (
    select
        account_id,
        strategy,
        count(*) as fill_count,
        sum(value_usd) as traded_usd,
        sum(fee_usd) as fees_usd
    from {{ ref('fct_fills') }}
    group by account_id, strategy
),

reviewed as (
    select
        account_id,
        strategy,
        count(*) as intent_count,
        count(*) filter (where outcome = 'denied') as denied_count,
        count(*) filter (where outcome = 'reduced') as reduced_count
    from {{ ref('stg_risk__verdicts') }}
    group by account_id, strategy
),

trips as (
    select
        account_id,
        strategy,
        count(*) filter (where not is_open) as closed_trips,
        count(*) filter (where is_open) as open_trips,
        count(*) filter (where net_pnl_usd > 0) as winning_trips,
        sum(net_pnl_usd) filter (where net_pnl_usd > 0) as won_usd,
        -sum(net_pnl_usd) filter (where net_pnl_usd < 0) as lost_usd,
        avg(net_pnl_usd) as expectancy_usd,
        avg(held_sessions) as average_held_sessions
    from {{ ref('fct_round_trips') }}
    group by account_id, strategy
)

select
    held.account_id,
    held.strategy,
    held.as_of_session,
    held.positions_usd,
    held.realised_usd,
    held.unrealised_usd,
    coalesce(dividends.dividends_usd, 0) as dividends_usd,
    coalesce(traded.fees_usd, 0) as fees_usd,
    held.realised_usd + held.unrealised_usd + coalesce(dividends.dividends_usd, 0) - coalesce(traded.fees_usd, 0)
        as net_pnl_usd,
    coalesce(traded.traded_usd, 0) as traded_usd,
    coalesce(traded.fill_count, 0) as fill_count,
    coalesce(reviewed.intent_count, 0) as intent_count,
    coalesce(reviewed.denied_count, 0) as denied_count,
    coalesce(reviewed.reduced_count, 0) as reduced_count,
    coalesce(trips.closed_trips, 0) as closed_trips,
    coalesce(trips.open_trips, 0) as open_trips,
    {{ ratio('trips.winning_trips', 'trips.closed_trips') }} * 100 as win_rate_pct,
    {{ ratio('trips.won_usd', 'trips.lost_usd') }} as profit_factor,
    trips.expectancy_usd,
    trips.average_held_sessions::double precision as average_held_sessions
from held
left join dividends on held.account_id = dividends.account_id and held.strategy = dividends.strategy
left join traded on held.account_id = traded.account_id and held.strategy = traded.strategy
left join reviewed on held.account_id = reviewed.account_id and held.strategy = reviewed.strategy
left join trips on held.account_id = trips.account_id and held.strategy = trips.strategy
