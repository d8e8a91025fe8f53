{{ config(meta={'dagster': {'ref': {'name': 'fct_daily_strategy_performance'}}}) }}
-- In every session, to the cent: the strategies' results and what no strategy has are the account's, and so is the
-- capital that they share.
with changes as (
    select
        account_id,
        session_date,
        positions_usd,
        equity_usd - lag(equity_usd, 1, 0) over by_session - flows_usd + lag(flows_usd, 1, 0) over by_session
            as net_pnl_usd,
        lag(equity_usd, 1, 0) over by_session + flows_usd - lag(flows_usd, 1, 0) over by_session as invested_usd,
        realised_usd - lag(realised_usd, 1, 0) over by_session as realised_usd,
        unrealised_usd - lag(unrealised_usd, 1, 0) over by_session as unrealised_usd,
        dividends_usd - lag(dividends_usd, 1, 0) over by_session as dividends_usd,
        fees_usd - lag(fees_usd, 1, 0) over by_session as fees_usd
    from {{ ref('int_equity__daily') }}
    window by_session as (partition by account_id order by session_date)
),

summed as (
    select
        account_id,
        session_date,
        sum(positions_usd) as positions_usd,
        sum(net_pnl_usd) as net_pnl_usd,
        sum(allocated_usd) as allocated_usd,
        sum(session_realised_usd) as realised_usd,
        sum(session_unrealised_usd) as unrealised_usd,
        sum(session_dividends_usd) as dividends_usd,
        sum(session_fees_usd) as fees_usd
    from {{ ref('fct_daily_strategy_performance') }}
    group by account_id, session_date
)

select
    changes.account_id,
    changes.session_date,
    changes.net_pnl_usd,
    summed.net_pnl_usd as summed_net_pnl_usd,
    changes.invested_usd,
    summed.allocated_usd
from changes
left join summed on changes.account_id = summed.account_id and changes.session_date = summed.session_date
where
    summed.account_id is null
    or abs(changes.net_pnl_usd - summed.net_pnl_usd) > {{ tolerance_usd() }}
    or abs(changes.invested_usd - summed.allocated_usd) > {{ tolerance_usd() }}
    or abs(changes.positions_usd - summed.positions_usd) > {{ tolerance_usd() }}
    or abs(changes.realised_usd - summed.realised_usd) > {{ tolerance_usd() }}
    or abs(changes.unrealised_usd - summed.unrealised_usd) > {{ tolerance_usd() }}
    or abs(changes.dividends_usd - summed.dividends_usd) > {{ tolerance_usd() }}
    or abs(changes.fees_usd - summed.fees_usd) > {{ tolerance_usd() }}
