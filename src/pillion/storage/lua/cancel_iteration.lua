-- Mark an iterable job as cancelled, once (wire-format 10). EXPIRE with NX would need Redis 7.
--
-- KEYS  1 it-JID
-- ARGV  1 now (epoch seconds)   2 TTL in seconds, unless the key has one
-- returns when it was cancelled first (epoch seconds, as text)
redis.call('HSETNX', KEYS[1], 'cancelled', ARGV[1])
if redis.call('TTL', KEYS[1]) < 0 then redis.call('EXPIRE', KEYS[1], ARGV[2]) end
return redis.call('HGET', KEYS[1], 'cancelled')
