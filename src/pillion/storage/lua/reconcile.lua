-- Hand back what Redis thinks this process holds and the process does not know of: jobs whose
-- fetch reply was lost on a broken connection, and, if asked, what a blocking move left in the
-- private list.
--
-- KEYS  1 in-flight hash   2 queue   3 private wait list
-- ARGV  1 "1": empty the private list too   2.. the tokens that the process does hold
-- returns how many jobs were handed back
local held, count = {}, 0
for i = 2, #ARGV do held[ARGV[i]] = true end

local payload = ARGV[1] == '1' and redis.call('LPOP', KEYS[3])
while payload do
  redis.call('RPUSH', KEYS[2], payload)
  count = count + 1
  payload = redis.call('LPOP', KEYS[3])
end

local strays = {}
for _, token in ipairs(redis.call('HKEYS', KEYS[1])) do
  if not held[token] then strays[#strays + 1] = token end
end
table.sort(strays, function(a, b) return tonumber(a) > tonumber(b) end)
for _, token in ipairs(strays) do
  payload = redis.call('HGET', KEYS[1], token)
  redis.call('HDEL', KEYS[1], token)
  redis.call('RPUSH', KEYS[2], payload)
  count = count + 1
end
return count
