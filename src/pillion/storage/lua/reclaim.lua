-- Take one job out of the hands of a process whose lease has ended and hand it back to the head of
-- its queue, unchanged. One job a call: a reaper that is killed leaves each job in exactly one place.
--
-- KEYS  1 pl:alive:IDENTITY   2 its in-flight hash   3 the queue   4 pl:recovered:JID   5 pl:suspects
-- ARGV  1 token   2 "1": whatever the lease says   3 the recovery that is one too many
--       4 seconds for which recoveries are counted   5 the recovery that makes it a suspect   6 the job's key there
-- returns the number of this recovery (1, 2 ...), 0 the job was no longer there,
--         -1 the lease runs, -2 one too many; in all three nothing was touched
if ARGV[2] ~= '1' and redis.call('EXISTS', KEYS[1]) == 1 then return -1 end
local payload = redis.call('HGET', KEYS[2], ARGV[1])
if not payload then return 0 end
local before = tonumber(redis.call('GET', KEYS[4]) or '0') or 0
if before + 1 >= tonumber(ARGV[3]) then return -2 end

-- HDEL first: Redis allows it when its memory is full, and then allows the rest.
redis.call('HDEL', KEYS[2], ARGV[1])
local reply = redis.pcall('RPUSH', KEYS[3], payload)
if type(reply) == 'table' and reply.err then
  redis.call('HSET', KEYS[2], ARGV[1], payload)
  return reply
end
local count = redis.call('INCR', KEYS[4])
if count == 1 then redis.call('EXPIRE', KEYS[4], ARGV[4]) end
if count >= tonumber(ARGV[5]) then
  redis.pcall('SADD', KEYS[5], ARGV[6])
  redis.pcall('EXPIRE', KEYS[5], ARGV[4])
end
return count
