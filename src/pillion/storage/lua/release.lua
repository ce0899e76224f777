-- Give a lock back, if it is ours.
--
-- KEYS  1 the lock
-- ARGV  1 who
-- returns 1 released, 0 it was not ours
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
