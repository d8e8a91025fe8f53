{{ config(meta={'dagster': {'ref': {'name': 'stg_execution__order_states'}}}) }}
-- But for the legs that protect what it buys.
select
    intent_id,
    count(*) as live_orders
from {{ ref('stg_execution__order_states') }}
where not is_terminal and parent_order_id is null
group by intent_id
having count(*) > 1
