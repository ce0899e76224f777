-- Move one member of a sorted set to the dead set, byte for byte, and trim the dead set.
--
-- KEYS  1 the sorted set   2 dead
-- ARGV  1 member   2 time of death   3 score up to which the dead are forgotten   4 dead_max_jobs
-- returns 1 moved, 0 it was no longer there
local score = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not score then return 0 end
redis.call('ZREM', KEYS[1], ARGV[1])
local reply = redis.pcall('ZADD', KEYS[2], ARGV[2], ARGV[1])
if type(reply) == 'table' and reply.err then
  redis.call('ZADD', KEYS[1], score, ARGV[1])
  return reply
end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', ARGV[3])
redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -tonumber(ARGV[4]))
return 1
