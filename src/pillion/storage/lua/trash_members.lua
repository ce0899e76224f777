-- Take some members of a sorted set away, with their scores, so that they can be put back. Each goes
-- only if it is still there. Called once for each page of a longer removal, always with the same bin.
--
-- KEYS  1 the sorted set   2 the bin   3 its note   4 pl:trash
-- ARGV  1 name of the set   2 undo id   3 when the removal began (epoch seconds)
--       4 seconds until the bin expires; "0": no bin, the jobs are gone   5.. members
-- returns the number of members taken away, those included that are in the bin already: the reply that said
--   so was lost, and it was sent again
local keep, count, again = ARGV[4] ~= '0', 0, 0
-- A key of a wrong type stops it here, before the jobs are where nobody would find them.
if keep then redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', ARGV[3]) end
for i = 5, #ARGV do
  local score = redis.call('ZSCORE', KEYS[1], ARGV[i])
  -- ZREM first: Redis allows it when its memory is full, and then allows the rest.
  if score and redis.call('ZREM', KEYS[1], ARGV[i]) == 1 then
    count = count + 1
    if keep then redis.call('ZADD', KEYS[2], score, ARGV[i]) end
  elseif keep and redis.call('ZSCORE', KEYS[2], ARGV[i]) then
    again = again + 1
  end
end
if keep and count > 0 then
  redis.call('EXPIRE', KEYS[2], ARGV[4])
  redis.call('HSET', KEYS[3], 'kind', 'set', 'name', ARGV[1], 'at', ARGV[3])
  redis.call('HINCRBY', KEYS[3], 'count', count)
  redis.call('EXPIRE', KEYS[3], ARGV[4])
  redis.call('ZADD', KEYS[4], tonumber(ARGV[3]) + tonumber(ARGV[4]), ARGV[2])
end
return count + again
