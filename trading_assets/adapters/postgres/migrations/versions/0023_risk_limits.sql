-- Risk limits by the time they count from, and how the size of an intent came about.

create table risk.limits (
    broker             text        not null,
    limit_no           integer     generated always as identity primary key,
    name               text        not null,
    value              jsonb       not null,
    effective_from     timestamptz not null,
    is_loosening       boolean     not null,
    needs_confirmation boolean     not null,
    set_by             text        not null check (length(trim(set_by)) > 0),
    why                text        not null check (length(trim(why)) > 0),
    set_at             timestamptz not null,
    recorded_at        timestamptz not null default clock_timestamp(),
    check (is_loosening or not needs_confirmation),
    unique (limit_no, set_by)
);
create index limits_by_name on risk.limits (broker, name, limit_no);
call ops.make_append_only('risk.limits');
comment on table risk.limits is 'Changes of the limits of trading.yaml: they hold for every account at the broker. The newest that counts is in force.';
comment on column risk.limits.value is 'As in trading.yaml; JSON null: not limited.';
comment on column risk.limits.set_at is 'By the clock of the graph, which a rehearsal sets; recorded_at is the time of the machine.';

create table risk.limit_confirmations (
    limit_no     integer     primary key,
    set_by       text        not null,
    confirmed_by text        not null check (length(trim(confirmed_by)) > 0),
    confirmed_at timestamptz not null,
    recorded_at  timestamptz not null default clock_timestamp(),
    foreign key (limit_no, set_by) references risk.limits (limit_no, set_by),
    constraint confirmed_by_another_person check (lower(trim(confirmed_by)) <> lower(trim(set_by)))
);
call ops.make_append_only('risk.limit_confirmations');

create view risk.limit_history as
    select limits.limit_no, broker, name, value, effective_from, is_loosening, needs_confirmation, limits.set_by, why,
           set_at, confirmed_by, confirmed_at,
           case
               when not needs_confirmation then effective_from
               when confirmed_at is not null then greatest(effective_from, confirmed_at)
           end as counts_from
    from risk.limits
    left join risk.limit_confirmations using (limit_no);
comment on column risk.limit_history.counts_from is 'Null while a loosening waits for a second person.';

alter table risk.verdicts
    add column sizing        text  not null default 'fixed_fractional',
    add column sizing_inputs jsonb not null default '{}';
comment on column risk.verdicts.sizing is 'The method that turned the target into shares: strategies.*.position_size in trading.yaml.';
comment on column risk.verdicts.sizing_inputs is 'What it was computed from, the shares wanted to be held, and why so many; numbers as text.';

alter table strategy.targets add column atr_usd double precision check (atr_usd >= 0);
comment on column strategy.targets.atr_usd is 'Average true range of a share at the decision, in raw prices; null where no size is made of it.';
comment on column strategy.targets.volatility_pct is
    'Annual volatility that the weight or the size was made with, in percent; null for methods that read no returns.';
