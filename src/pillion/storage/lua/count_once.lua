-- Carry out commands that count, unless this was done before: the answer to the first try may have been
-- lost, and Redis may even carry it out after the second one. One that fails does not stop the others.
--
-- KEYS  1 number of the last batch of this process   2.. what is counted in
-- ARGV  1 number of this batch   2 seconds to remember it   then for each command: how many words it has
--       behind the key, which of KEYS, its name, those words
-- returns 1 it is done, 0 it was done before, or the error of the first command that failed
if tonumber(redis.call('GET', KEYS[1]) or 0) >= tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2]) -- first: on a full server it ends here, with nothing counted
local failure
local at = 3
while at <= #ARGV do
  local words = tonumber(ARGV[at])
  local answer = redis.pcall(ARGV[at + 2], KEYS[tonumber(ARGV[at + 1])], unpack(ARGV, at + 3, at + 2 + words))
  if type(answer) == 'table' and answer.err then failure = failure or answer end
  at = at + 3 + words
end
return failure or 1
