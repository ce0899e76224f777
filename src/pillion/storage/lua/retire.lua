-- Strike a process off the list of owners, if nothing is left with it.
--
-- KEYS  1 pl:owners   2 pl:alive:IDENTITY   3 processes   4 pl:company:IDENTITY
--       5.. its in-flight hashes and wait lists
-- ARGV  1 identity   2 "1": whatever its lease says
-- returns 1 struck off, 0 it still holds jobs, -1 its lease runs: nothing was touched
if ARGV[2] ~= '1' and redis.call('EXISTS', KEYS[2]) == 1 then return -1 end
for i = 5, #KEYS do
  if redis.call('EXISTS', KEYS[i]) == 1 then return 0 end
end
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('DEL', KEYS[2], KEYS[4])
redis.call('SREM', KEYS[3], ARGV[1])
return 1
