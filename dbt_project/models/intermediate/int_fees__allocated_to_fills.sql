select
    execution_id,
    sum(fee_usd) as fee_usd
from {{ ref('int_fees__shared_by_fills') }}
group by execution_id
