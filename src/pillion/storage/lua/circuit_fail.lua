-- Count a failure of a service.
--
-- KEYS  1 the counter
-- ARGV  1 how many failures open the circuit   2 milliseconds that they count, and that it is open
-- returns how many there are
--
-- The first failure begins the window. The one that opens the circuit begins it anew, so that it is open for all of it.
local failures = redis.call('INCR', KEYS[1])
if failures >= tonumber(ARGV[1]) or redis.call('PTTL', KEYS[1]) < 0 then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return failures
