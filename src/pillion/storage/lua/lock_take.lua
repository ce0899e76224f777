-- Take a lock, unless somebody else has it. Asked twice with one token (the first reply was lost) it says yes twice.
--
-- KEYS  1 the lock
-- ARGV  1 token of the taker   2 milliseconds until the lock ends by itself
-- returns 1 it is ours, 0 somebody else has it
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 1 end
return redis.call('GET', KEYS[1]) == ARGV[1] and 1 or 0
