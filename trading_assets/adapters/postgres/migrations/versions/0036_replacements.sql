-- An order that takes the place of another at the broker: under the same approval, for no more shares than it had left.

alter table execution.orders add column replaces_order_id text references execution.orders;
comment on column execution.orders.replaces_order_id is 'The order whose place this one takes, with another price.';

drop index execution.orders_use_an_approval_once;
create unique index orders_use_an_approval_once on execution.orders (intent_id)
    where parent_order_id is null and replaces_order_id is null;

create function execution.check_replacement() returns trigger language plpgsql as $$
begin
    if not exists (
        select from execution.orders as replaced
        where replaced.client_order_id = new.replaces_order_id
          and (replaced.intent_id, replaced.account_id, replaced.strategy, replaced.symbol, replaced.side)
              = (new.intent_id, new.account_id, new.strategy, new.symbol, new.side)
          and new.qty <= replaced.qty and new.attempt > replaced.attempt
    ) then
        raise exception 'order %: it is not what % was approved for', new.client_order_id, new.replaces_order_id
            using errcode = 'check_violation', hint = 'A replacement changes the price, and never adds a share.';
    end if;
    return new;
end $$;
create trigger replaces_its_like before insert on execution.orders
    for each row when (new.replaces_order_id is not null) execute function execution.check_replacement();
