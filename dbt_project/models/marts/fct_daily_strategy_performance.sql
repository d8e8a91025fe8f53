-- A session's result goes to the version whose orders were filled last. What no strategy earned, paid or may use is
-- the account's own line, so that the lines of a session add up to the account.
with sessions as (
    select
        account_id,
        session_date,
        at,
        lag(at, 1, '-infinity') over by_session as previous_at,
        lag(equity_usd, 1, 0) over by_session + flows_usd - lag(flows_usd, 1, 0) over by_session as invested_usd
    from {{ ref('int_equity__daily') }}
    window by_session as (partition by account_id order by session_date)
),

held as (
    select
        account_id,
        session_date,
        strategy,
        sum(value_usd) as positions_usd,
        sum(realised_usd) as realised_usd,
        sum(unrealised_usd) as unrealised_usd
    from {{ ref('stg_execution__positions') }}
    group by account_id, session_date, strategy
),

lines as (
    select
        account_id,
        session_date,
        strategy,
        positions_usd,
        realised_usd - lag(realised_usd, 1, 0) over by_session as realised_usd,
        unrealised_usd - lag(unrealised_usd, 1, 0) over by_session as unrealised_usd,
        0 as dividends_usd,
        0 as fees_usd
    from held
    window by_session as (partition by account_id, strategy order by session_date)
    union all
    select
        sessions.account_id,
        sessions.session_date,
        booked.strategy,
        0 as positions_usd,
        0 as realised_usd,
        0 as unrealised_usd,
        booked.dividend_usd as dividends_usd,
        booked.fee_usd as fees_usd
    from sessions
    inner join {{ ref('int_income__booked_by_strategy') }} as booked
        on
            sessions.account_id = booked.account_id
            and sessions.previous_at < booked.at
            and sessions.at >= booked.at
    union all
    select
        account_id,
        session_date,
        {{ unallocated() }} as strategy,
        0 as positions_usd,
        0 as realised_usd,
        0 as unrealised_usd,
        0 as dividends_usd,
        0 as fees_usd
    from sessions
),

summed as (
    select
        account_id,
        session_date,
        strategy,
        sum(positions_usd) as positions_usd,
        sum(realised_usd) as session_realised_usd,
        sum(unrealised_usd) as session_unrealised_usd,
        sum(dividends_usd) as session_dividends_usd,
        sum(fees_usd) as session_fees_usd
    from lines
    group by account_id, session_date, strategy
),

weights as (
    select
        strategy,
        strategy_version,
        session_date as first_session,
        max(capital_weight)::numeric as capital_weight,
        lead(session_date, 1, 'infinity') over (
            partition by strategy, strategy_version order by session_date
        ) as next_session
    from {{ ref('stg_strategy__targets') }}
    group by strategy, strategy_version, session_date
),

funded as (
    select
        summed.*,
        versions.strategy_version,
        sessions.invested_usd,
        (sessions.invested_usd * weights.capital_weight)::numeric(20, 6) as capital_usd
    from summed
    inner join sessions on summed.account_id = sessions.account_id and summed.session_date = sessions.session_date
    left join {{ ref('int_strategies__versions') }} as versions
        on
            summed.account_id = versions.account_id
            and summed.strategy = versions.strategy
            and summed.session_date >= versions.first_session
            and summed.session_date < versions.next_session
    left join weights
        on
            versions.strategy = weights.strategy
            and versions.strategy_version = weights.strategy_version
            and summed.session_date >= weights.first_session
            and summed.session_date < weights.next_session
),

results as (
    select
        *,
        case
            when strategy = {{ unallocated() }}
                then invested_usd - coalesce(sum(capital_usd) over (partition by account_id, session_date), 0)
            else capital_usd
        end as allocated_usd,
        session_realised_usd + session_unrealised_usd + session_dividends_usd as gross_pnl_usd
    from funded
)

select
    account_id,
    session_date,
    strategy,
    strategy_version,
    allocated_usd,
    positions_usd,
    session_realised_usd,
    session_unrealised_usd,
    session_dividends_usd,
    gross_pnl_usd,
    session_fees_usd,
    gross_pnl_usd - session_fees_usd as net_pnl_usd,
    {{ ratio('gross_pnl_usd - session_fees_usd', 'allocated_usd') }} * 100 as return_pct
from results
