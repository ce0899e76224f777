-- Replace what is remembered of one alert, if it is still what the caller has read: of several monitors
-- that run at a time, one sends the message.
--
-- KEYS  1 the memory of the monitors
-- ARGV  1 the alert   2 what was read of it ("" nothing)   3 what to remember now ("" nothing)
-- returns 1 it is replaced, 0 another monitor was faster
local known = redis.call('HGET', KEYS[1], ARGV[1]) or ''
if known ~= ARGV[2] then return 0 end
if ARGV[3] == '' then
  redis.call('HDEL', KEYS[1], ARGV[1])
else
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
end
return 1
