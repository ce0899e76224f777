-- Hand back what a blocking fetch of a process whose lease has ended left in its private wait list.
-- These jobs never ran, so no recovery is counted.
--
-- KEYS  1 pl:alive:IDENTITY   2 its wait list (the tail is the oldest)   3 the queue
-- ARGV  1 "1": whatever the lease says   2 how many at the most
-- returns how many were handed back, -1 the lease runs: nothing was touched
if ARGV[1] ~= '1' and redis.call('EXISTS', KEYS[1]) == 1 then return -1 end
local count = 0
while count < tonumber(ARGV[2]) do
  local payload = redis.call('LPOP', KEYS[2])
  if not payload then break end
  local reply = redis.pcall('RPUSH', KEYS[3], payload)
  if type(reply) == 'table' and reply.err then
    redis.call('LPUSH', KEYS[2], payload)
    return reply
  end
  count = count + 1
end
return count
