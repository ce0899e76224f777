-- Take processes whose record has expired off the list (wire-format 7.7). Looks again itself: a process
-- that came back after the caller looked stays.
--
-- KEYS  1 process_cleanup   2 processes   3... the records, whose keys are the identities
-- ARGV  1 seconds for which nobody else does this
-- returns how many were taken off; 0 also if somebody else has just done so
if not redis.call('SET', KEYS[1], '1', 'NX', 'EX', ARGV[1]) then return 0 end
local taken = 0
for i = 3, #KEYS do
  if redis.call('EXISTS', KEYS[i]) == 0 then
    taken = taken + redis.call('SREM', KEYS[2], KEYS[i])
  end
end
return taken
