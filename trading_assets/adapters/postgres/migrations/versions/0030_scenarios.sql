-- What other limits would have made of recorded sessions. No recorded verdict is touched: these are answers to a question.

create table risk.scenarios (
    scenario_id         text        primary key check (length(scenario_id) = 64),
    account_id          text        not null references execution.accounts,
    first_session       date        not null,
    last_session        date        not null check (last_session >= first_session),
    limits              jsonb       not null check (limits <> '{}'),
    verdict_count       integer     not null,
    denied_count        integer     not null,
    smaller_count       integer     not null,
    larger_count        integer     not null,
    recorded_equity_usd numeric     not null,
    scenario_equity_usd numeric     not null,
    recorded_at         timestamptz not null default clock_timestamp()
);
comment on table risk.scenarios is
    'Recorded sessions reviewed again under other limits. The same question is one row, which a rerun replaces.';
comment on column risk.scenarios.scenario_id is 'Hash of the account, the sessions and the limits.';
comment on column risk.scenarios.limits is 'The limits that were tried, as in trading.yaml.';
comment on column risk.scenarios.scenario_equity_usd is 'At the end, with these limits all along.';

create table risk.scenario_verdicts (
    scenario_id  text    not null references risk.scenarios on delete cascade,
    intent_id    text    not null references risk.verdicts,
    outcome      text    not null check (outcome in ('approved', 'reduced', 'denied')),
    approved_qty numeric not null check (approved_qty >= 0),
    reason_codes text[]  not null,
    effect_usd   numeric,
    primary key (scenario_id, intent_id)
);
create index scenario_verdicts_by_intent on risk.scenario_verdicts (intent_id);
comment on table risk.scenario_verdicts is
    'The recorded intents that a scenario would have answered otherwise, the account being as it was.';
comment on column risk.scenario_verdicts.effect_usd is
    'What the shares more or fewer would have made by the last close of the range, from the reference price on; null where it was split since.';

create view risk.scenario_effects as
    select scenario_id, scenarios.account_id, first_session, last_session, limits, intent_id, verdicts.strategy,
           verdicts.symbol, verdicts.side, verdicts.decision_at, verdicts.outcome as recorded_outcome,
           verdicts.approved_qty as recorded_qty, answers.outcome, answers.approved_qty, answers.reason_codes,
           verdicts.reference_price, answers.effect_usd
    from risk.scenario_verdicts as answers
    join risk.scenarios using (scenario_id)
    join risk.verdicts using (intent_id);
comment on view risk.scenario_effects is 'What a scenario would have denied, or let through otherwise, and what that would have been worth.';

create view risk.scenario_summary as
    select scenarios.*, scenario_equity_usd - recorded_equity_usd as worth_usd
    from risk.scenarios;
comment on view risk.scenario_summary is 'Each scenario with what its limits, kept all along, would have been worth at the end.';
