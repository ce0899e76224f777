-- One step of putting back what was removed from a queue or a job set. Each step leaves every job in
-- exactly one place; call it until nothing is left in the bin.
--
-- KEYS  1 the queue's list or the sorted set   2 the bin   3 its note   4 pl:trash   5 queues
-- ARGV  1 "queue" or "set"   2 name of the queue   3 undo id   4 most jobs to move in this step, fewer if
--         they are large
--       5 seconds that the bin lives at least from now on   6 now (epoch seconds)
-- returns the number of jobs left in the bin
--
-- RENAME, LMOVE and ZPOPMIN come first: Redis allows them when its memory is full (LMOVE is the
-- exception: then nothing is moved).
local most, left = tonumber(ARGV[4]), 0
local bytes_left = 200000

local function whole()
  redis.call('RENAME', KEYS[2], KEYS[1])
  redis.call('PERSIST', KEYS[1])
end

if ARGV[1] == 'queue' then
  local newer, old = redis.call('LLEN', KEYS[1]), redis.call('LLEN', KEYS[2])
  if old > 0 and newer <= most then
    -- Few were pushed since: put them in front of the old ones, which run first.
    for _ = 1, newer do redis.call('LMOVE', KEYS[1], KEYS[2], 'RIGHT', 'LEFT') end
    whole()
  elseif old > 0 then
    left = old
    while left > math.max(0, old - most) and bytes_left > 0 do
      bytes_left = bytes_left - #redis.call('LMOVE', KEYS[2], KEYS[1], 'LEFT', 'RIGHT')
      left = left - 1
    end
  end
  if old > 0 then redis.call('SADD', KEYS[5], ARGV[2]) end
else
  local present, old = redis.call('ZCARD', KEYS[1]), redis.call('ZCARD', KEYS[2])
  if old > 0 and present == 0 then
    whole()
  elseif old > 0 then
    left = old
    while left > math.max(0, old - most) and bytes_left > 0 do
      local pair = redis.call('ZPOPMIN', KEYS[2])
      redis.call('ZADD', KEYS[1], 'NX', pair[2], pair[1])
      bytes_left = bytes_left - #pair[1]
      left = left - 1
    end
  end
end

if left == 0 then
  redis.call('UNLINK', KEYS[3])
  redis.call('ZREM', KEYS[4], ARGV[3])
elseif redis.call('TTL', KEYS[2]) < tonumber(ARGV[5]) then
  redis.call('EXPIRE', KEYS[2], ARGV[5])
  redis.call('EXPIRE', KEYS[3], ARGV[5])
  redis.call('ZADD', KEYS[4], 'XX', tonumber(ARGV[6]) + tonumber(ARGV[5]), ARGV[3])
end
return left
