-- Pause a queue or end its pause, and tell the workers that wait for jobs to look at the set again.
--
-- KEYS  1 paused
-- ARGV  1 name of the queue   2 "1" pause, "0" unpause   3 the channel that workers listen to
-- returns 1 if that changed anything, else 0
--
-- SREM first: Redis allows it when its memory is full, and then allows the rest. A user who may not publish
-- can still pause: busy workers see it with their next fetch, idle ones when they look again by themselves.
local was_paused = redis.call('SREM', KEYS[1], ARGV[1])
if ARGV[2] == '1' then redis.call('SADD', KEYS[1], ARGV[1]) end
redis.pcall('PUBLISH', ARGV[3], ARGV[1])
return ARGV[2] == '1' and 1 - was_paused or was_paused
