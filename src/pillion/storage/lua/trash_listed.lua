-- Take some jobs out of a queue, so that they can be put back.
--
-- KEYS  1 the queue's list   2 the bin   3 its note   4 pl:trash
-- ARGV  1 name of the queue   2 undo id   3 when the removal began (epoch seconds)   4 seconds until the bin expires
--       5 "1": they are nearer to what runs next than to the newest   6.. payloads
-- returns the number of jobs taken away
local count = 0
-- A key of a wrong type stops it here, before the jobs are where nobody would find them.
redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', ARGV[3])
for i = 6, #ARGV do
  -- LREM first: Redis allows it when its memory is full, and then allows the rest.
  if redis.call('LREM', KEYS[1], ARGV[5] == '1' and -1 or 1, ARGV[i]) == 1 then
    redis.call('RPUSH', KEYS[2], ARGV[i])
    count = count + 1
  end
end
if count > 0 then
  redis.call('EXPIRE', KEYS[2], ARGV[4])
  redis.call('HSET', KEYS[3], 'kind', 'queue', 'name', ARGV[1], 'at', ARGV[3])
  redis.call('HINCRBY', KEYS[3], 'count', count)
  redis.call('EXPIRE', KEYS[3], ARGV[4])
  redis.call('ZADD', KEYS[4], tonumber(ARGV[3]) + tonumber(ARGV[4]), ARGV[2])
end
return count
