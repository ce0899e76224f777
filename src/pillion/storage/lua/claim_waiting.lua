-- What a blocking move of a dead process left in its private wait list may have been running: a process
-- runs it at once and says so a moment later. So it is put into the in-flight hash, as that process
-- would have done, and is given back from there like everything else.
--
-- KEYS  1 pl:alive:IDENTITY   2 its wait list (the tail is the oldest)   3 its in-flight hash
-- ARGV  1 "1": whatever the lease says   2 how many at the most   3 the token of the first
-- returns how many were moved, -1 the lease runs: nothing was touched
if ARGV[1] ~= '1' and redis.call('EXISTS', KEYS[1]) == 1 then return -1 end
local token, count = tonumber(ARGV[3]), 0
while count < tonumber(ARGV[2]) do
  while redis.call('HEXISTS', KEYS[3], string.format('%d', token)) == 1 do token = token + 1 end
  local payload = redis.call('RPOP', KEYS[2])
  if not payload then break end
  local reply = redis.pcall('HSET', KEYS[3], string.format('%d', token), payload)
  if type(reply) == 'table' and reply.err then
    redis.call('RPUSH', KEYS[2], payload)
    return reply
  end
  token = token + 1
  count = count + 1
end
return count
