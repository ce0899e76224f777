-- Move waiting jobs into this process's hands, each leaving its queue and entering the in-flight
-- hash in the same step, so that it is never only in the memory of a process.
--
-- KEYS  three for each queue, in the order wanted: queue, in-flight hash, private wait list
-- ARGV  1 how many jobs at the most   2 bytes after which no further job is taken
--       3 token of the first job      4 "1": empty the private wait lists first
-- returns {index of the queue, {payload, ...}, index, {payload, ...}, ...};
--         tokens count up from ARGV[3] in the order of the payloads
local wanted, bytes_left = tonumber(ARGV[1]), tonumber(ARGV[2])
local token = tonumber(ARGV[3])
local found, got = {}, 0

local function lease(queue_index, payloads)
  local fields = {}
  for i = 1, #payloads do
    fields[2 * i - 1] = string.format('%d', token)
    fields[2 * i] = payloads[i]
    token = token + 1
    bytes_left = bytes_left - #payloads[i]
  end
  got = got + #payloads
  local reply = redis.pcall('HSET', KEYS[3 * queue_index - 1], unpack(fields))
  if type(reply) == 'table' and reply.err then
    -- A script is not rolled back: put the jobs where they were before passing the error on.
    for i = #payloads, 1, -1 do redis.call('RPUSH', KEYS[3 * queue_index - 2], payloads[i]) end
    return reply
  end
  found[#found + 1] = queue_index
  found[#found + 1] = payloads
end

if ARGV[4] == '1' then
  for queue_index = 1, #KEYS / 3 do
    local payload = redis.call('RPOP', KEYS[3 * queue_index])
    while payload do
      local failed = lease(queue_index, {payload})
      if failed then return failed end
      payload = redis.call('RPOP', KEYS[3 * queue_index])
    end
  end
end

-- Chunks grow, so that one huge payload at the tail of a queue is not followed by 63 others.
for queue_index = 1, #KEYS / 3 do
  local chunk = 4
  while got < wanted and bytes_left > 0 do
    local asked = math.min(chunk, wanted - got)
    local payloads = redis.call('RPOP', KEYS[3 * queue_index - 2], asked)
    if not payloads then break end
    local failed = lease(queue_index, payloads)
    if failed then return failed end
    if #payloads < asked then break end
    chunk = math.min(chunk * 4, 128)
  end
end
return found
