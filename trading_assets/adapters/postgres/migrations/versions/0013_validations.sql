-- What Great Expectations answered when it judged the stored data.

create table ops.validations (
    run_id           text        not null,
    suite            text        not null,
    check_name       text        not null,
    dataset          text        not null,
    severity         text        not null check (severity in ('critical', 'warning')),
    is_blocking      boolean     not null,
    first_session    date,
    last_session     date,
    passed           boolean     not null,
    unexpected_count bigint      not null check (unexpected_count >= 0),
    observed         text,
    error            text,
    offenders        jsonb       not null default '[]',
    validated_at     timestamptz not null,
    primary key (run_id, suite, check_name)
);
create index validations_by_check on ops.validations (check_name, validated_at);
call ops.make_append_only('ops.validations');
comment on table ops.validations is 'Results of validate_data_quality_job: one row a check and run.';
comment on column ops.validations.first_session is 'Null where the whole table is judged and not some sessions of it.';
comment on column ops.validations.offenders is 'The first rows that were not expected, with their key.';
comment on column ops.validations.error is 'Why the check could not be evaluated; then it has not passed.';
