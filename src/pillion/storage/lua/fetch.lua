-- Move waiting jobs into this process's hands, each leaving its queue and entering the in-flight
-- hash in the same step, so that it is never only in the memory of a process.
--
-- KEYS  three for each queue, in the order wanted: queue, in-flight hash, private wait list
-- ARGV  1 how many jobs at the most   2 bytes after which no further job is taken
--       3 token of the first job      4 "1": empty the private wait lists first
-- returns {index of the queue, {payload, ...}, index, {payload, ...}, ...};
--         tokens count up from ARGV[3] in the order of the payloads
--
-- A queue whose keys cannot be used (of a wrong type, say) is passed over: a script is not rolled back,
-- so an error would hide what was leased from the queues before it. The error is returned if it is all
-- there is to tell.
local wanted, bytes_left = tonumber(ARGV[1]), tonumber(ARGV[2])
local token = tonumber(ARGV[3])
local found, got = {}, 0
local failure

-- What RPOP gives, or nothing where the key is not a list.
local function pop(...)
  local reply = redis.pcall('RPOP', ...)
  if type(reply) == 'table' and reply.err then
    failure = failure or reply
    return nil
  end
  return reply
end

-- True if the jobs, which were taken from the tail of the list `source`, are ours now.
local function lease(queue_index, payloads, source)
  local fields, first = {}, token
  for i = 1, #payloads do
    fields[2 * i - 1] = string.format('%d', token)
    fields[2 * i] = payloads[i]
    token = token + 1
  end
  local reply = redis.pcall('HSET', KEYS[3 * queue_index - 1], unpack(fields))
  if type(reply) == 'table' and reply.err then
    for i = #payloads, 1, -1 do redis.call('RPUSH', source, payloads[i]) end
    token = first
    failure = failure or reply
    return false
  end
  got = got + #payloads
  for i = 1, #payloads do bytes_left = bytes_left - #payloads[i] end
  found[#found + 1] = queue_index
  found[#found + 1] = payloads
  return true
end

if ARGV[4] == '1' then
  for queue_index = 1, #KEYS / 3 do
    local waiting = KEYS[3 * queue_index]
    local payload = pop(waiting)
    while payload and lease(queue_index, {payload}, waiting) do
      payload = pop(waiting)
    end
  end
end

-- Chunks grow, so that one huge payload at the tail of a queue is not followed by 63 others.
for queue_index = 1, #KEYS / 3 do
  local queue, chunk = KEYS[3 * queue_index - 2], 4
  while got < wanted and bytes_left > 0 do
    local asked = math.min(chunk, wanted - got)
    local payloads = pop(queue, asked)
    if not payloads or not lease(queue_index, payloads, queue) or #payloads < asked then break end
    chunk = math.min(chunk * 4, 128)
  end
end
if #found == 0 and failure then return failure end
return found
