with worst as (
    select distinct on (account_id, at)
        account_id,
        at,
        scenario,
        profit_usd
    from {{ ref('stg_risk__stress_results') }}
    where profit_usd is not null
    order by account_id asc, at asc, profit_usd asc, scenario_no asc
)

select
    risk.account_id,
    risk.at,
    risk.session_date,
    extract(epoch from risk.at - risk.marked_at)::double precision as price_age_s,
    risk.equity_usd,
    risk.positions,
    {{ ratio('risk.gross_usd', 'risk.equity_usd') }} * 100 as gross_pct,
    {{ ratio('risk.net_usd', 'risk.equity_usd') }} * 100 as net_pct,
    risk.leverage,
    risk.beta,
    risk.benchmark,
    risk.largest_symbol,
    {{ ratio('abs(risk.largest_usd)', 'risk.equity_usd') }} * 100 as largest_pct,
    risk.herfindahl,
    1 / risk.herfindahl as effective_positions,
    risk.mean_correlation,
    risk.var_95_usd,
    risk.cvar_95_usd,
    risk.var_99_usd,
    risk.cvar_99_usd,
    {{ ratio('risk.var_95_usd', 'risk.equity_usd') }} * 100 as var_95_pct,
    {{ ratio('risk.var_99_usd', 'risk.equity_usd') }} * 100 as var_99_pct,
    {{ ratio('risk.parametric_var_95_usd', 'risk.equity_usd') }} * 100 as parametric_var_95_pct,
    {{ ratio('risk.parametric_var_99_usd', 'risk.equity_usd') }} * 100 as parametric_var_99_pct,
    worst.scenario as worst_scenario,
    worst.profit_usd as worst_scenario_usd,
    {{ ratio('worst.profit_usd', 'risk.equity_usd') }} * 100 as worst_scenario_pct,
    risk.tail_sessions,
    risk.tail_missing,
    risk.beta_missing
from {{ ref('stg_risk__portfolio_risk') }} as risk
left join worst on risk.account_id = worst.account_id and risk.at = worst.at
