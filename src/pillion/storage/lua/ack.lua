-- Acknowledge finished jobs, and count them in the same step: a job counts as processed exactly
-- when its lease was still ours.
--
-- KEYS  1 stat:processed   2 stat:processed:DAY   3.. in-flight hashes
-- ARGV  1 TTL of the day's counter in seconds; then for each hash: number of tokens, the tokens
-- returns how many leases were released (a smaller number than sent: some were lost, or sent before)
local released, at = 0, 2
for i = 3, #KEYS do
  local count = tonumber(ARGV[at])
  released = released + redis.call('HDEL', KEYS[i], unpack(ARGV, at + 1, at + count))
  at = at + count + 1
end
if released > 0 then
  redis.call('INCRBY', KEYS[1], released)
  redis.call('INCRBY', KEYS[2], released)
  redis.call('EXPIRE', KEYS[2], ARGV[1])
end
return released
