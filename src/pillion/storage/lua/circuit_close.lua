-- Forget the failures of a service, after a call that went well.
--
-- KEYS  1 the counter
-- ARGV  1 how many failures open the circuit
-- returns 1 they are forgotten, 0 there are none, or the circuit is open
--
-- While it is open no call begins: what ends well then is an old one, and says nothing of the service as it is now.
if tonumber(redis.call('GET', KEYS[1]) or 0) >= tonumber(ARGV[1]) then return 0 end
return redis.call('DEL', KEYS[1])
