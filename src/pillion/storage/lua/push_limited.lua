-- Push jobs to a queue that has a limit: all of them, or none if that would pass the limit.
--
-- KEYS  1 the queue's list   2 queues
-- ARGV  1 name of the queue   2 how many jobs it may hold ('': any number)
--       3 from what age of its oldest job on it is full (milliseconds; '': any age)
--       4 now (epoch milliseconds)   5.. payloads, the first to run first
-- returns {} when they were pushed, else {jobs in the queue, age of the oldest or -1 if the size was the reason}
--
-- Everything here takes the same time however long the queue is. The oldest job is only read, never
-- written back: cjson would change its numbers. A job without a readable enqueued_at counts as new, so that
-- one odd payload cannot close a queue. On the wire integers are milliseconds and floats are seconds; cjson
-- makes one type of both, but no time since 1973 in the one is a time before the year 5138 in the other.
local LATEST_SECONDS, LONGEST_MS = 1e11, 1e15
local UNPACK_AT_ONCE = 1000 -- Lua's stack has room for about 8000

local function age_of(raw)
  local fine, job = pcall(cjson.decode, raw)
  local at = fine and type(job) == 'table' and job.enqueued_at
  if type(at) ~= 'number' then
    return 0
  end
  local age = tonumber(ARGV[4]) - (at > LATEST_SECONDS and at or at * 1000)
  return age > 0 and math.min(age, LONGEST_MS) or 0 -- also 0 when it is no number at all
end

local size = redis.call('LLEN', KEYS[1])
if ARGV[2] ~= '' and size + #ARGV - 4 > tonumber(ARGV[2]) then
  return {size, -1}
end
if ARGV[3] ~= '' and size > 0 then
  local age = age_of(redis.call('LINDEX', KEYS[1], -1))
  if age >= tonumber(ARGV[3]) then
    return {size, math.floor(age)}
  end
end
redis.call('SADD', KEYS[2], ARGV[1])
for i = 5, #ARGV, UNPACK_AT_ONCE do
  redis.call('LPUSH', KEYS[1], unpack(ARGV, i, math.min(i + UNPACK_AT_ONCE - 1, #ARGV)))
end
return {}
