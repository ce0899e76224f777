-- Lease the job that a blocking move has brought into the private list. The process runs it without
-- waiting for the answer, so this may be sent again: the second time it changes nothing.
--
-- KEYS  1 private wait list   2 in-flight hash
-- ARGV  1 token   2 the payload that was moved
-- returns 1 leased (now or before), 0 the list does not have it any more
if redis.call('HEXISTS', KEYS[2], ARGV[1]) == 1 then return 1 end
if redis.call('LREM', KEYS[1], 1, ARGV[2]) == 0 then return 0 end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
return 1
