{{ config(meta={'dagster': {'ref': {'name': 'int_fees__allocated_to_fills'}}}) }}
-- What the sales bear is what the broker charged, for each account.
with charged as (
    select
        account_id,
        -sum(amount_usd) as fees_usd
    from {{ ref('stg_execution__activities') }}
    where kind in ('fee_sec', 'fee_taf')
    group by account_id
),

borne as (
    select
        fills.account_id,
        sum(fees.fee_usd) as fees_usd
    from {{ ref('int_fees__allocated_to_fills') }} as fees
    inner join {{ ref('stg_execution__fills') }} as fills on fees.execution_id = fills.execution_id
    group by fills.account_id
)

select
    charged.account_id,
    charged.fees_usd,
    borne.fees_usd as borne_usd
from charged
left join borne on charged.account_id = borne.account_id
where abs(charged.fees_usd - coalesce(borne.fees_usd, 0)) > {{ tolerance_usd() }}
