-- Move waiting jobs into this process's hands, each leaving its queue and entering the in-flight
-- hash in the same step, so that it is never only in the memory of a process.
--
-- KEYS  three for each queue, in the order wanted: queue, in-flight hash, private wait list
-- ARGV  1 how many jobs at the most   2 bytes after which no further job is taken
--       3 token of the first job      4 "1": empty the private wait lists first
--       5 the set of paused queues: not among KEYS, or Redis would refuse all of this to a user who may not read it
-- returns {index of the queue, {payload, ...}, index, {payload, ...}, ...};
--         tokens count up from ARGV[3] in the order of the payloads;
--         an index with no payloads: that queue is paused;
--         0, {error}: the set of paused queues cannot be read, none counts as paused
--
-- Nothing is taken from a paused queue, and what lies in its private wait list goes back to it.
--
-- A queue whose keys cannot be used (of a wrong type, say) is passed over: a script is not rolled back,
-- so an error would hide what was leased from the queues before it. The error is returned if it is all
-- there is to tell.
local wanted, bytes_left = tonumber(ARGV[1]), tonumber(ARGV[2])
local token = tonumber(ARGV[3])
local queues = #KEYS / 3
local found, got = {}, 0
local failure

local function is_error(reply)
  return type(reply) == 'table' and reply.err ~= nil
end

-- Which queues are paused, by index, after noting them in `found`.
local function find_paused(key)
  local paused = {}
  local count = redis.pcall('SCARD', key)
  if is_error(count) then
    found = {0, {count.err}}
  elseif count > 0 then
    for queue_index = 1, queues do
      local name = string.sub(KEYS[3 * queue_index - 2], #'queue:' + 1)
      if redis.call('SISMEMBER', key, name) == 1 then
        paused[queue_index] = true
        found[#found + 1] = queue_index
        found[#found + 1] = {}
      end
    end
  end
  return paused
end

-- What RPOP gives, or nothing where the key is not a list.
local function pop(...)
  local reply = redis.pcall('RPOP', ...)
  if is_error(reply) then
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
  if is_error(reply) then
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

-- Move what a blocking move has brought back to the tail of its queue: the oldest runs next again.
local function put_back(waiting, queue)
  local payload = redis.pcall('LPOP', waiting)
  while payload and not is_error(payload) do
    local reply = redis.pcall('RPUSH', queue, payload)
    if is_error(reply) then
      redis.call('LPUSH', waiting, payload)
      failure = failure or reply
      return
    end
    payload = redis.pcall('LPOP', waiting)
  end
end

local function lease_waiting(queue_index)
  local waiting = KEYS[3 * queue_index]
  local payload = pop(waiting)
  while payload and lease(queue_index, {payload}, waiting) do
    payload = pop(waiting)
  end
end

local paused = find_paused(ARGV[5])

if ARGV[4] == '1' then
  for queue_index = 1, queues do
    if paused[queue_index] then
      put_back(KEYS[3 * queue_index], KEYS[3 * queue_index - 2])
    else
      lease_waiting(queue_index)
    end
  end
end

-- Chunks grow, so that one huge payload at the tail of a queue is not followed by 63 others.
for queue_index = 1, queues do
  local queue, chunk = KEYS[3 * queue_index - 2], 4
  while got < wanted and bytes_left > 0 and not paused[queue_index] do
    local asked = math.min(chunk, wanted - got)
    local payloads = pop(queue, asked)
    if not payloads or not lease(queue_index, payloads, queue) or #payloads < asked then break end
    chunk = math.min(chunk * 4, 128)
  end
end
if got == 0 and failure then return failure end
return found
