-- What was removed and can be put back. Changes nothing.
--
-- KEYS  1 pl:trash; beside it the bins and their notes are read, whose names are in it
-- ARGV  1 now (epoch seconds)   2 most bins
-- returns {undo id, when it expires, {field, value, ...} of its note, jobs in it, ...}, the last to expire first
local result = {}
local ids = redis.call('ZREVRANGEBYSCORE', KEYS[1], '+inf', ARGV[1], 'WITHSCORES', 'LIMIT', 0, ARGV[2])
for i = 1, #ids, 2 do
  local bin = KEYS[1] .. ':' .. ids[i]
  local note = redis.call('HGETALL', bin .. ':note')
  local kind = redis.call('TYPE', bin).ok
  local count = kind == 'list' and redis.call('LLEN', bin) or kind == 'zset' and redis.call('ZCARD', bin) or 0
  if count > 0 then
    for _, part in ipairs({ids[i], ids[i + 1], note, count}) do result[#result + 1] = part end
  end
end
return result
