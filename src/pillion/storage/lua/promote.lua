-- Move due jobs from a sorted set to their queues. Each is moved only if it is still in the set and
-- still due: another scheduler may have been faster, a person may have put it off in the meantime.
--
-- KEYS  1 the sorted set   2 queues   3.. the queues' lists
-- ARGV  1 what is due now (epoch seconds)   2 the score for jobs whose queue refuses them ("": their own)
--       3.. for each job: stored member, index of its queue in KEYS, queue name, payload to push
-- returns {jobs moved, number of a job that was refused, why, number, why, ...}
--
-- The first write on each job is ZREM, which Redis allows when its memory is full; the push may then
-- follow. A push that fails (a key of a wrong type, a missing permission) must not lose the job, for a
-- script is not rolled back: the member is put back, later, so that it does not hold up the others.
local result, seen = {0}, {}
for i = 3, #ARGV, 4 do
  local member, index, name = ARGV[i], tonumber(ARGV[i + 1]), ARGV[i + 2]
  local score = redis.call('ZSCORE', KEYS[1], member)
  if score and tonumber(score) <= tonumber(ARGV[1]) then
    redis.call('ZREM', KEYS[1], member)
    local reply = redis.pcall('LPUSH', KEYS[index], ARGV[i + 3])
    if type(reply) == 'table' and reply.err then
      redis.call('ZADD', KEYS[1], ARGV[2] ~= '' and ARGV[2] or score, member)
      result[#result + 1] = (i - 3) / 4
      result[#result + 1] = reply.err
    else
      result[1] = result[1] + 1
      if not seen[name] then
        seen[name] = true
        redis.call('SADD', KEYS[2], name)
      end
    end
  end
end
return result
