-- Take a whole queue or job set away, so that it can be put back: its key becomes a bin that expires.
-- What it costs does not grow with the number of jobs. Sent twice, it does nothing the second time.
--
-- KEYS  1 the queue's list or the sorted set   2 the bin   3 its note   4 pl:trash   5 queues
-- ARGV  1 "queue" or "set"   2 name of that queue or set   3 undo id   4 now (epoch seconds)
--       5 seconds until the bin expires; "0": no bin, the jobs are gone
-- returns the number of jobs taken away
local function forget_name()
  if ARGV[1] == 'queue' then redis.call('SREM', KEYS[5], ARGV[2]) end
end

local noted = redis.call('HGET', KEYS[3], 'count')
if noted then return tonumber(noted) end
local count = redis.call(ARGV[1] == 'queue' and 'LLEN' or 'ZCARD', KEYS[1])
if count == 0 then
  forget_name()
  return 0
end
if ARGV[5] == '0' then
  redis.call('UNLINK', KEYS[1])
  forget_name()
  return count
end
-- These three first: Redis allows them when its memory is full, and then allows the rest; and a key of a
-- wrong type stops it here, before the jobs are where nobody would find them.
forget_name()
redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', ARGV[4])
redis.call('RENAME', KEYS[1], KEYS[2])
redis.call('EXPIRE', KEYS[2], ARGV[5])
redis.call('HSET', KEYS[3], 'kind', ARGV[1], 'name', ARGV[2], 'at', ARGV[4], 'count', count)
redis.call('EXPIRE', KEYS[3], ARGV[5])
redis.call('ZADD', KEYS[4], tonumber(ARGV[4]) + tonumber(ARGV[5]), ARGV[3])
return count
