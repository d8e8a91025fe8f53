select distinct on (account_id, session_date) *
from {{ ref('stg_execution__equity') }}
order by account_id, session_date, at desc
