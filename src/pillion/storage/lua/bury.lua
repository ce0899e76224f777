-- Move members of a sorted set to the dead set, byte for byte, and trim the dead set.
--
-- KEYS  1 the sorted set   2 dead
-- ARGV  1 time of death   2 score up to which the dead are forgotten   3 dead_max_jobs   4.. members
-- returns {jobs moved, jobs trimmed, number of a job that was no longer there, number, ...}
--
-- Both trims of wire-format 3.4 take from the low end, so the larger one is all that is needed. One call
-- trims 1000 more than it adds at most, so that it stays short after dead_max_jobs was lowered; the next
-- call goes on. Without members it only trims.
local result = {0, 0}
for i = 4, #ARGV do
  local score = redis.call('ZSCORE', KEYS[1], ARGV[i])
  if score then
    redis.call('ZREM', KEYS[1], ARGV[i])
    local reply = redis.pcall('ZADD', KEYS[2], ARGV[1], ARGV[i])
    if type(reply) == 'table' and reply.err then
      redis.call('ZADD', KEYS[1], score, ARGV[i])
      return reply
    end
    result[1] = result[1] + 1
  else
    result[#result + 1] = i - 4
  end
end
local expired = redis.call('ZCOUNT', KEYS[2], '-inf', ARGV[2])
local excess = redis.call('ZCARD', KEYS[2]) - tonumber(ARGV[3]) + 1
local trimmed = math.min(math.max(expired, excess), 1000 + result[1])
if trimmed > 0 then
  result[2] = redis.call('ZREMRANGEBYRANK', KEYS[2], 0, trimmed - 1)
end
return result
