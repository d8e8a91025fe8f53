-- Since when company data counts, which stored facts were restated, and what had been decided on the replaced values.

alter table market.financials
    add column filed_at    timestamptz,
    add column counts_from timestamptz;
alter table market.financials disable trigger append_only;
update market.financials set counts_from = known_at;
alter table market.financials enable trigger append_only;
alter table market.financials alter column counts_from set not null;
alter table market.fundamentals add column is_gone boolean not null default false;
create index financials_by_time on market.financials using brin (known_at);
create index fundamentals_by_time on market.fundamentals using brin (known_at);
comment on column market.financials.known_at is 'When it was first seen here.';
comment on column market.financials.filed_at is
    'When everybody could read the filing it comes from, as the source says; null where the source does not.';
comment on column market.financials.counts_from is
    'The earliest time at which it may be used: filed_at where the figure is told for the first time, else known_at. '
    'What a figure was at a time in the past never changes once it is stored.';

comment on column market.fundamentals.is_gone is
    'The source still tells of the topic, and no longer of this item: the end of a list that became shorter.';

create function market.financials_as_of(knowledge_time timestamptz) returns setof market.financials
language sql stable as $$
    select distinct on (symbol, statement, item, months, period_end) *
    from market.financials
    where counts_from <= knowledge_time
    order by symbol, statement, item, months, period_end, version desc
$$;
comment on function market.financials_as_of is
    'The figures that could be known at a time: a filing counts from its publication, a later correction from the moment it was stored.';

create function market.fundamentals_as_of(knowledge_time timestamptz) returns setof market.fundamentals
language sql stable as $$
    select *
    from (
        select distinct on (symbol, topic, item) *
        from market.fundamentals
        where known_at <= knowledge_time
        order by symbol, topic, item, version desc
    ) as newest
    where not is_gone
$$;
comment on function market.fundamentals_as_of is
    'The facts as they had been seen by a time. Vendors tell them as of today, so none counts before it was stored.';


-- restatements ------------------------------------------------------------------------------------

create index bars_restated on market.bars (symbol, known_at) where version > 1;
create index corporate_actions_restated on market.corporate_actions (symbol, known_at) where version > 1;

create view market.replaced_versions as
    select 'market/bars' as dataset, new.symbol, new.timeframe,
           new.timeframe || ' bar of ' || to_char(new.ts at time zone 'UTC', 'YYYY-MM-DD HH24:MI') || ' UTC' as fact,
           case when old.version = 1 then old.closes_at else greatest(old.known_at, old.closes_at) end as counted_from,
           new.known_at as counted_until,
           new.known_at, new.version, old.source as old_source, new.source,
           to_jsonb(old) as old_row, to_jsonb(new) as new_row
    from market.bars as new
    join market.bars as old
        on (old.symbol, old.timeframe, old.ts, old.version) = (new.symbol, new.timeframe, new.ts, new.version - 1)
    where new.version > 1
    union all
    select 'market/corporate_actions', new.symbol, null,
           replace(new.kind, '_', ' ') || ' of ' || new.ex_date,
           case when old.version = 1 then old.ex_date::timestamp at time zone 'America/New_York'
                else greatest(old.known_at, old.ex_date::timestamp at time zone 'America/New_York') end,
           new.known_at,
           new.known_at, new.version, old.source, new.source, to_jsonb(old), to_jsonb(new)
    from market.corporate_actions as new
    join market.corporate_actions as old
        on (old.symbol, old.ex_date, old.kind, old.distributed_symbol, old.version)
         = (new.symbol, new.ex_date, new.kind, new.distributed_symbol, new.version - 1)
    where new.version > 1
    union all
    select 'market/financials', new.symbol, null,
           new.item || ' of ' || new.months || ' months to ' || new.period_end,
           old.counts_from, new.counts_from,
           new.known_at, new.version, old.source, new.source, to_jsonb(old), to_jsonb(new)
    from market.financials as new
    join market.financials as old
        on (old.symbol, old.statement, old.item, old.months, old.period_end, old.version)
         = (new.symbol, new.statement, new.item, new.months, new.period_end, new.version - 1)
    where new.version > 1
    union all
    select 'market/fundamentals', new.symbol, null, new.topic || ': ' || new.item,
           old.known_at, new.known_at,
           new.known_at, new.version, old.source, new.source, to_jsonb(old), to_jsonb(new)
    from market.fundamentals as new
    join market.fundamentals as old
        on (old.symbol, old.topic, old.item, old.version) = (new.symbol, new.topic, new.item, new.version - 1)
    where new.version > 1;
comment on view market.replaced_versions is
    'Every version of a fact that a newer one replaced, with the span of time in which it counted.';

create view analytics.restatements as
    select r.dataset, r.symbol, r.timeframe, r.fact, r.version, new_value.key as column_name,
           old_value.value #>> '{}' as old_value,
           new_value.value #>> '{}' as new_value,
           case when jsonb_typeof(old_value.value) = 'number' and jsonb_typeof(new_value.value) = 'number'
                then ((new_value.value::numeric - old_value.value::numeric)
                      / nullif(abs(old_value.value::numeric), 0) * 10000)::double precision
           end as change_bps,
           r.known_at, r.counted_from, r.counted_until, r.old_source, r.source
    from market.replaced_versions as r
    cross join lateral jsonb_each(r.new_row) as new_value
    cross join lateral (select r.old_row -> new_value.key as value) as old_value
    where new_value.value is distinct from old_value.value
      and new_value.key not in ('version', 'known_at', 'counts_from', 'filed_at', 'response_id', 'source');
comment on view analytics.restatements is 'One row a column of a stored fact that its source told differently later.';
comment on column analytics.restatements.fact is 'What was restated, in words.';
comment on column analytics.restatements.version is 'Of the new value; the old one is the version before it.';
comment on column analytics.restatements.change_bps is 'In hundredths of a percent of the old value; null where it is no number.';
comment on column analytics.restatements.known_at is 'When the new value was stored.';
comment on column analytics.restatements.counted_from is 'Since when decisions used the old value.';
comment on column analytics.restatements.counted_until is 'Since when decisions use the new value.';

create view analytics.decisions_on_restated_values as
    with spans as (
        -- Values that one run replaced end together: whoever decided between the first of them and the end used one.
        select dataset, symbol, timeframe, counted_until, min(counted_from) as counted_from, count(*) as replaced_values
        from market.replaced_versions
        where dataset in ('market/bars', 'market/corporate_actions') and counted_from < counted_until
        group by dataset, symbol, timeframe, counted_until
    ),
    decisions as (
        select 'signal' as decision, strategy, strategy_version, symbol, timeframe, decision_at, session_date,
               null as account_id, null as intent_id, null as client_order_id, signal::numeric as decided
        from strategy.signals
        union all
        select 'target', strategy, strategy_version, symbol, signals.timeframe, decision_at, targets.session_date,
               null, null, null, targets.target_weight::numeric
        from strategy.targets
        left join strategy.signals using (strategy, strategy_version, symbol, decision_at)
        union all
        select 'verdict', strategy, strategy_version, symbol, signals.timeframe, decision_at, verdicts.session_date,
               verdicts.account_id, verdicts.intent_id, null, verdicts.approved_qty
        from risk.verdicts
        left join strategy.signals using (strategy, strategy_version, symbol, decision_at)
        union all
        select 'order', verdicts.strategy, verdicts.strategy_version, verdicts.symbol, signals.timeframe,
               verdicts.decision_at, verdicts.session_date, orders.account_id, orders.intent_id,
               orders.client_order_id, orders.qty
        from execution.orders
        join risk.verdicts on verdicts.intent_id = orders.intent_id
        left join strategy.signals
            on (signals.strategy, signals.strategy_version, signals.symbol, signals.decision_at)
             = (verdicts.strategy, verdicts.strategy_version, verdicts.symbol, verdicts.decision_at)
    )
    select decisions.*, spans.dataset, spans.counted_from, spans.counted_until, spans.replaced_values
    from decisions
    join spans
        on spans.symbol = decisions.symbol
        -- A corporate action adjusts bars of any length; a decision without a signal may rest on any bar.
        and (spans.timeframe = decisions.timeframe or spans.timeframe is null or decisions.timeframe is null)
        and decisions.decision_at >= spans.counted_from and decisions.decision_at < spans.counted_until;
comment on view analytics.decisions_on_restated_values is
    'Signals, targets, verdicts and orders whose inputs had a value that was restated later. Indicators are computed from '
    'a symbol''s first bar on, so every decision on the same symbol and length of bar used it, from the time the value '
    'counted until its restatement was stored. Verdicts and orders follow the signal they came from.';
comment on column analytics.decisions_on_restated_values.decided is
    'The signal, the target weight, the approved quantity or the quantity of the order.';
comment on column analytics.decisions_on_restated_values.replaced_values is
    'How many values of the dataset were restated together; the decision used those that counted before it.';
