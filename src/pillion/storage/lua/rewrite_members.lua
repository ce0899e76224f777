-- Replace members of a sorted set by other bytes for the same jobs. Each keeps its score, and is replaced
-- only if it is still there.
--
-- KEYS  1 the sorted set
-- ARGV  for each job: stored member, new member
-- returns the number of members replaced
local count = 0
for i = 1, #ARGV, 2 do
  local score = redis.call('ZSCORE', KEYS[1], ARGV[i])
  -- ZREM first: Redis allows it when its memory is full, and then allows the rest.
  if score and redis.call('ZREM', KEYS[1], ARGV[i]) == 1 then
    redis.call('ZADD', KEYS[1], 'NX', score, ARGV[i + 1])
    count = count + 1
  end
end
return count
