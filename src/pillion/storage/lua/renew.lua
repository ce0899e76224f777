-- Renew the lease of one process.
--
-- KEYS  1 pl:alive:IDENTITY
-- ARGV  1 TTL in seconds
-- returns 1 renewed, 0 it had run out (or never begun) and begins anew
--
-- EXPIRE first: Redis allows it when its memory is full, and then allows the SET as well.
if redis.call('EXPIRE', KEYS[1], ARGV[1]) == 1 then return 1 end
redis.call('SET', KEYS[1], '1', 'EX', ARGV[1])
return 0
