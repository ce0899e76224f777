-- Save how far an iterable job has come (wire-format 10), unless a later execution of it has saved already:
-- then this process has lost the job, and must not move its cursor back. EXPIRE with NX would need Redis 7.
--
-- KEYS  1 it-JID
-- ARGV  1 number of this execution   2 cursor (JSON)   3 runtime so far (seconds)   4 TTL in seconds, unless the key has one
-- returns {1 saved or 0 left alone, when it was cancelled (epoch seconds, as text) or false}
local known = tonumber(redis.call('HGET', KEYS[1], 'ex') or nil)
local mine = not known or known <= tonumber(ARGV[1])
if mine then
  redis.call('HSET', KEYS[1], 'ex', ARGV[1], 'c', ARGV[2], 'rt', ARGV[3])
  if redis.call('TTL', KEYS[1]) < 0 then redis.call('EXPIRE', KEYS[1], ARGV[4]) end
end
return {mine and 1 or 0, redis.call('HGET', KEYS[1], 'cancelled')}
