-- Take one job that has killed its process too often out of that process's hands and bury it.
--
-- KEYS  1 pl:alive:IDENTITY   2 its in-flight hash   3 pl:recovered:JID   4 dead   5 pl:suspects
-- ARGV  1 token   2 "1": whatever the lease says   3 what to bury ("": the job is dropped)
--       4 time of death   5 score up to which the dead are forgotten   6 dead_max_jobs   7 the job's key among the suspects
-- returns 1 buried or dropped, 0 the job was no longer there, -1 the lease runs: nothing was touched
--
-- The count starts anew: whoever revives the job from the dead set, having mended it, has three tries.
if ARGV[2] ~= '1' and redis.call('EXISTS', KEYS[1]) == 1 then return -1 end
local payload = redis.call('HGET', KEYS[2], ARGV[1])
if not payload then return 0 end
redis.call('HDEL', KEYS[2], ARGV[1])
if ARGV[3] ~= '' then
  local reply = redis.pcall('ZADD', KEYS[4], ARGV[4], ARGV[3])
  if type(reply) == 'table' and reply.err then
    redis.call('HSET', KEYS[2], ARGV[1], payload)
    return reply
  end
  redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', ARGV[5])
  redis.call('ZREMRANGEBYRANK', KEYS[4], 0, -tonumber(ARGV[6]))
end
redis.call('DEL', KEYS[3])
redis.pcall('SREM', KEYS[5], ARGV[7])
return 1
