-- Enter a process into the list of owners of jobs and give it its first lease.
--
-- KEYS  1 pl:owners   2 pl:alive:IDENTITY
-- ARGV  1 identity   2 its record (JSON)   3 TTL of the lease in seconds
-- returns 1
--
-- EXPIRE first: Redis allows it when its memory is full, and then allows the rest. A process that
-- comes to empty a full Redis can register.
if redis.call('EXPIRE', KEYS[2], ARGV[3]) == 0 then
  redis.call('SET', KEYS[2], '1', 'EX', ARGV[3])
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 1
