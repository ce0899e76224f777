-- Take a lock, or keep it if it is ours already.
--
-- KEYS  1 the lock
-- ARGV  1 who   2 TTL in milliseconds
-- returns 1 it is ours for that long, 0 somebody else has it
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
-- PEXPIRE first, also where there is nothing to prolong: Redis allows it when its memory is full, and
-- then allows the SET as well. A full Redis is just when jobs must be recovered and promoted.
if redis.call('PEXPIRE', KEYS[1], ARGV[2]) == 0 then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
end
return 1
