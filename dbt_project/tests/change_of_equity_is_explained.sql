{{ config(meta={'dagster': {'ref': {'name': 'int_equity__daily'}}}) }}
-- From session to session: what is held changed by exactly the profit, income, fees and flows of the ledger's records.
with changes as (
    select
        account_id,
        session_date,
        at,
        lag(at, 1, '-infinity') over by_session as previous_at,
        (cash_usd + receivable_usd + positions_usd)
        - lag(cash_usd + receivable_usd + positions_usd, 1, 0) over by_session as held_change_usd,
        realised_usd + unrealised_usd - lag(realised_usd + unrealised_usd, 1, 0) over by_session as profit_usd
    from {{ ref('int_equity__daily') }}
    window by_session as (partition by account_id order by session_date)
),

booked as (
    select
        changes.account_id,
        changes.session_date,
        changes.held_change_usd,
        changes.profit_usd,
        coalesce(sum(activities.amount_usd), 0) as booked_usd
    from changes
    left join {{ ref('stg_execution__activities') }} as activities
        on
            changes.account_id = activities.account_id
            and activities.at > changes.previous_at
            and activities.at <= changes.at
            and activities.kind not in {{ kinds_of_priced_shares() }}
    group by changes.account_id, changes.session_date, changes.held_change_usd, changes.profit_usd
)

select *
from booked
where abs(held_change_usd - profit_usd - booked_usd) > {{ tolerance_usd() }}
