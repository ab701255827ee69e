-- With what the next look compares itself, whichever sampler takes it: the last number drawn, the rows deleted so far,
-- and the oldest pending messages. Null for looks of older programs.
ALTER TABLE orderscope.samples ADD COLUMN mark jsonb;
