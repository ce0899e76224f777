-- Hand jobs back unchanged to the head of their queue: they run next, elsewhere or here.
--
-- KEYS  1 in-flight hash   2 queue
-- ARGV  tokens, the newest first, so that the oldest ends up next to run
-- returns how many were handed back
local count = 0
for i = 1, #ARGV do
  local payload = redis.call('HGET', KEYS[1], ARGV[i])
  if payload and redis.call('HDEL', KEYS[1], ARGV[i]) == 1 then
    redis.call('RPUSH', KEYS[2], payload)
    count = count + 1
  end
end
return count
