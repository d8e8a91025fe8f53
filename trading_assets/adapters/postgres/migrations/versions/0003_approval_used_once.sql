-- An approval permits one order; a further attempt needs an intent and an approval of its own.

alter table execution.orders add constraint orders_use_an_approval_once unique (intent_id);
