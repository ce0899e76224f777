-- Let a lock go, if it is still that of the caller: it may have ended by itself, and be somebody else's now.
--
-- KEYS  1 the lock
-- ARGV  1 token of the holder
-- returns 1 it was ours and is free now, 0 it was not ours any more
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
