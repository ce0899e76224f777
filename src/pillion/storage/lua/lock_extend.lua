-- Hold a lock for longer, if it is still that of the caller.
--
-- KEYS  1 the lock
-- ARGV  1 token of the holder   2 milliseconds from now until the lock ends by itself
-- returns 1 done, 0 it was not ours any more
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
