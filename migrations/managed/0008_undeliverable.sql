-- The index on messages that cannot leave knows the addresses that deliveries know: no `topic:`, no `%` in a name, no
-- options with values that nobody can use. It is the same condition as `UNDELIVERABLE` in src/db/outbox/mod.rs.
DROP INDEX public.ix_outbox_message_undeliverable;
CREATE INDEX ix_outbox_message_undeliverable ON public.outbox_message (sequence_number)
    WHERE destination_address IS NULL
        OR destination_address !~* '^[ \t\n\f\r]*((rabbitmqs?|amqps?)://[^/? \t\n\f\r]+/([^?]*/)?|(queue|exchange):/*)[-a-z0-9_.:]+([?]|[ \t\n\f\r]*$)'
        OR destination_address !~ '^[^?]*([?](((temporary|durable|autodelete|bind)=(true|false)|type=(fanout|direct|topic|headers)|(queue|alternateexchange)=[-A-Za-z0-9_.:]+|(?!(temporary|durable|autodelete|bind|type|queue|alternateexchange)(=|&|[ \t\n\f\r]*$))[^&]*)(&|[ \t\n\f\r]*$))*)?$';
