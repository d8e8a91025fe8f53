-- Who may write what: a role for the strategies, one for the review, one for readers. And an order is what was approved.

create procedure ops.grant_roles() language plpgsql as $$
declare
    wanted constant text[] := array['trading_strategy', 'trading_risk', 'trading_reader'];
    platform name := (select tableowner from pg_tables where schemaname = 'risk' and tablename = 'verdicts');
    may_become text := case when current_setting('server_version_num')::integer >= 160000 then 'SET' else 'MEMBER' end;
    one text;
begin
    foreach one in array wanted loop
        continue when exists (select from pg_roles where rolname = one);
        begin
            execute format('create role %I nologin', one);
        exception
            when duplicate_object or unique_violation then null;  -- Roles are the server's: another database made it.
            when insufficient_privilege then
                raise warning 'role % cannot be created by %: let an administrator run `call ops.grant_roles()`', one, current_user;
                return;
        end;
    end loop;
    foreach one in array wanted loop
        if not pg_has_role(platform, one, may_become) then
            begin
                execute format('grant %I to %I', one, platform);
            exception when insufficient_privilege then
                raise warning 'role % cannot be granted to %: let an administrator run `call ops.grant_roles()`', one, platform;
            end;
        end if;
    end loop;

    execute format('grant temporary on database %I to trading_strategy, trading_risk', current_database());
    grant usage on schema market, strategy, risk, execution, analytics, ops to trading_strategy, trading_risk;
    grant select on all tables in schema market, strategy, risk, execution, analytics, ops to trading_strategy, trading_risk;

    grant insert, update, delete on strategy.indicators, strategy.signals, strategy.targets, strategy.states, strategy.pairs
        to trading_strategy;
    grant insert on market.universe_members to trading_strategy;
    grant execute on function strategy.add_indicator to trading_strategy;

    grant insert, update, delete on all tables in schema risk to trading_risk;
    -- Limits, lists and trading states are set by persons.
    revoke insert, update, delete on risk.limits, risk.limit_confirmations, risk.restrictions, risk.state_events
        from trading_risk;

    grant usage on schema analytics to trading_reader;
    grant select on all tables in schema analytics to trading_reader;
    -- The marts are made anew by every run of dbt.
    alter default privileges in schema analytics grant select on tables to trading_reader;
end $$;
comment on procedure ops.grant_roles is
    'Makes the roles where the user may, and grants what each may write. May be repeated; a server''s administrator may run it.';

-- The strategies may store an indicator that is new; the table stays another's.
create function strategy.add_indicator(column_name text, description text) returns void
    language plpgsql security definer set search_path = pg_catalog as $$
begin
    execute format('alter table strategy.indicators add column if not exists %I double precision', column_name);
    execute format('comment on column strategy.indicators.%I is %L', column_name, description);
end $$;
revoke execute on function strategy.add_indicator from public;

-- That there is an approval, the foreign key sees to, and a unique index that it is used once; a leg has its entry's.
create function execution.check_order() returns trigger language plpgsql as $$
begin
    if exists (
        select from risk.approvals join risk.verdicts using (intent_id)
        where intent_id = new.intent_id and (
            new.qty > approvals.qty
            or (new.account_id, new.strategy, new.symbol, new.side)
            is distinct from (verdicts.account_id, verdicts.strategy, verdicts.symbol, verdicts.side)
        )
    ) then
        raise exception 'order %: % % % of account % is not what was approved', new.client_order_id, new.side, new.qty,
            new.symbol, new.account_id
            using errcode = 'check_violation', hint = 'risk.approvals says what may be sent for the intent.';
    end if;
    return new;
end $$;
create trigger is_as_approved before insert on execution.orders
    for each row when (new.parent_order_id is null) execute function execution.check_order();
