{{ config(meta={'dagster': {'ref': {'name': 'stg_execution__equity'}}}) }}
-- Fills move cash when they are booked, activities on the session they settle.
with movements as (
    select
        account_id,
        booked_at as at,
        -signed_qty * price as amount_usd
    from {{ ref('stg_execution__fills') }}
    union all
    select
        activities.account_id,
        case
            when activities.settles_on > activities.session_date
                then coalesce(
                    (
                        select min(equity.at)
                        from {{ ref('stg_execution__equity') }} as equity
                        where
                            equity.account_id = activities.account_id
                            and equity.session_date >= activities.settles_on
                    ), 'infinity'
                )
            else activities.at
        end as at,
        activities.amount_usd
    from {{ ref('stg_execution__activities') }} as activities
    where activities.amount_usd <> 0
),

changes as (
    select
        *,
        sum(amount_usd) over (partition by account_id order by at) as cash_usd,
        lead(at, 1, 'infinity') over (partition by account_id order by at) as next_at
    from movements
)

select
    equity.account_id,
    equity.at,
    equity.cash_usd,
    changes.cash_usd as booked_usd
from {{ ref('stg_execution__equity') }} as equity
left join changes
    on equity.account_id = changes.account_id and equity.at >= changes.at and equity.at < changes.next_at
where abs(equity.cash_usd - coalesce(changes.cash_usd, 0)) > {{ tolerance_usd() }}
