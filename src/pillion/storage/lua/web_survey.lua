-- What every page of the dashboard begins with, in one step: processes, queues, what is paused, who leads.
-- Changes nothing.
--
-- KEYS  1 processes   2 queues   3 paused   4 dear-leader   5 pl:owners; beside these it reads the records of the listed
--         processes and the lists of the listed queues, whose names nobody knows before
-- ARGV  1 prefix of a queue's list   2 most processes   3 most queues   4 bytes above which only the end of a
--         payload is returned   5 how long that end is   6.. fields of a process record
-- returns {leader, {paused name, ...}, {processes in all, identity, {field value, ...}, ...},
--          {queues in all, name, size or -1: not a list, bytes of the payload that runs next, payload, ...},
--          {key that has a wrong type, ...}, {identity of a process that is Pillion's, ...}}
local wrong = {}

local function read(name, ...)
  local reply = redis.pcall(...)
  if type(reply) == 'table' and reply.err then
    wrong[#wrong + 1] = name
    return nil
  end
  return reply
end

local function members(key)
  local names = read(key, 'SMEMBERS', key) or {}
  table.sort(names)
  return names
end

local fields = {}
for i = 6, #ARGV do fields[#fields + 1] = ARGV[i] end

local listed = members(KEYS[1])
local processes, owners = {#listed}, {}
for i = 1, math.min(#listed, tonumber(ARGV[2])) do
  processes[#processes + 1] = listed[i]
  processes[#processes + 1] = read(listed[i], 'HMGET', listed[i], unpack(fields)) or {}
  if redis.pcall('HEXISTS', KEYS[5], listed[i]) == 1 then owners[#owners + 1] = listed[i] end
end

local names = members(KEYS[2])
local queues = {#names}
for i = 1, math.min(#names, tonumber(ARGV[3])) do
  local key = ARGV[1] .. names[i]
  local size = read(key, 'LLEN', key) or -1
  local payload = size > 0 and redis.call('LINDEX', key, -1) or ''
  local bytes = #payload
  if bytes > tonumber(ARGV[4]) then payload = string.sub(payload, -tonumber(ARGV[5])) end
  queues[#queues + 1] = names[i]
  queues[#queues + 1] = size
  queues[#queues + 1] = bytes
  queues[#queues + 1] = payload
end

return {read(KEYS[4], 'GET', KEYS[4]) or '', members(KEYS[3]), processes, queues, wrong, owners}
