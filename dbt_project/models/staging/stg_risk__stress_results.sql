select
    account_id,
    at,
    session_date,
    scenario,
    scenario_no,
    profit_usd,
    basis
from {{ source('risk', 'stress_results') }}
