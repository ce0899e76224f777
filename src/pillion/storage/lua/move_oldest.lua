-- Move jobs from the tail of one queue to the head of another, in their order. A job goes only if it is
-- the oldest of its queue when its turn comes: else a worker has taken it, and it is passed over.
--
-- KEYS  1 the old queue   2 the new queue   3 queues
-- ARGV  1 name of the new queue   2.. for each job, the oldest first: stored payload, payload to push
-- returns the number of jobs moved
local count = 0
for i = 2, #ARGV, 2 do
  if redis.call('LINDEX', KEYS[1], -1) == ARGV[i] then
    -- RPOP first: Redis allows it when its memory is full, and then allows the rest.
    redis.call('RPOP', KEYS[1])
    local reply = redis.pcall('LPUSH', KEYS[2], ARGV[i + 1])
    if type(reply) == 'table' and reply.err then
      -- A key of a wrong type, or a missing permission. A script is not rolled back: put it back.
      redis.call('RPUSH', KEYS[1], ARGV[i])
      return reply
    end
    count = count + 1
  end
end
if count > 0 then redis.call('SADD', KEYS[3], ARGV[1]) end
return count
