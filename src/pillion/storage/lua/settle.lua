-- Settle one job in one step: if its lease is still ours, release it, carry out the outcome's steps
-- (move it to the retry set, bury it, push it again, whatever features attached) and count it.
-- If the lease was lost nothing at all happens: somebody else has the job now.
--
-- KEYS  1 in-flight hash   2 stat:processed   3 stat:processed:DAY   4 stat:failed   5 stat:failed:DAY
--       6.. keys that the steps touch
-- ARGV  1 token   2 add to processed   3 add to failed   4 TTL of the day's counters in seconds
--       5.. the steps, each: number of words, then the words (a Redis command, or the name of a named
--       step such as "@batch.done" and its arguments)
-- returns 1 settled, 0 the lease was lost, {1, error} settled, but a later step failed
--
-- The first step is the one that moves the job. If it fails, the lease is put back before the error is
-- passed on (a script is not rolled back), and the job is still in one place. A later step that fails
-- cannot undo the move: the others are carried out, and the error is told, once.
local named = {}
--{{named steps}}

local payload = redis.call('HGET', KEYS[1], ARGV[1])
-- The first write is one that Redis allows when its memory is full; the rest may then follow.
if redis.call('HDEL', KEYS[1], ARGV[1]) == 0 then return 0 end

local at, failure = 5, nil
while at <= #ARGV do
  local words = tonumber(ARGV[at])
  local name = ARGV[at + 1]
  local reply
  if named[name] then
    reply = named[name](unpack(ARGV, at + 2, at + words))
  else
    reply = redis.pcall(unpack(ARGV, at + 1, at + words))
  end
  if type(reply) == 'table' and reply.err then
    if at == 5 then
      redis.call('HSET', KEYS[1], ARGV[1], payload)
      return reply
    end
    failure = failure or (name .. ': ' .. reply.err)
  end
  at = at + words + 1
end

if tonumber(ARGV[2]) > 0 then
  redis.call('INCRBY', KEYS[2], ARGV[2])
  redis.call('INCRBY', KEYS[3], ARGV[2])
  redis.call('EXPIRE', KEYS[3], ARGV[4])
end
if tonumber(ARGV[3]) > 0 then
  redis.call('INCRBY', KEYS[4], ARGV[3])
  redis.call('INCRBY', KEYS[5], ARGV[3])
  redis.call('EXPIRE', KEYS[5], ARGV[4])
end
if failure then return {1, failure} end
return 1
