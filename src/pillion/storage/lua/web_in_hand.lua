-- Jobs in the hands of processes: in flight, or moved to one that was idle. What no heartbeat has told of yet is
-- nowhere else. Changes nothing.
--
-- KEYS  1 pl:owners; beside it the hashes and lists of the owners are read, whose names are in their records
-- ARGV  1 owners to pass over, by name   2 most owners to look at   3 most hashes and lists to look at
--       4 most entries to look at   5 most bytes to look at   6 most entries to return
--       7 bytes up to which a payload is returned in whole   8 how long its ends are, if it is larger
--       9 to 12 what the names are made of: 9 QUEUE 10 OWNER is a hash in flight, 9 QUEUE 11 OWNER a list, 12 OWNER
--         exists while the owner lives
--       13.. ways to write a text, one of which must occur in a payload
-- returns {owners in all, entries looked at, {owner, queue, 1 it lives or 0, bytes, payload or its beginning, its end
--          or "", ...}}
local pass, most_owners, places = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local entries, room, most = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local whole, ends = tonumber(ARGV[7]), tonumber(ARGV[8])
local looked, count, found = 0, 0, {}

local function occurs(payload)
  for i = 13, #ARGV do
    if string.find(payload, ARGV[i], 1, true) then return true end
  end
  return false
end

local function look(owner, queue, payload)
  looked = looked + 1
  room = room - #payload
  if count >= most or not occurs(payload) then return end
  count = count + 1
  local head, tail = payload, ''
  if #payload > whole then head, tail = string.sub(payload, 1, ends), string.sub(payload, -ends) end
  local lives = redis.call('EXISTS', ARGV[12] .. owner)
  for _, part in ipairs({owner, queue, lives, #payload, head, tail}) do found[#found + 1] = part end
end

-- A few at a time: one entry could have a megabyte, and a hash could have very many.
local function look_through(owner, queue)
  local waiting = redis.pcall('LRANGE', ARGV[9] .. queue .. ARGV[11] .. owner, 0, 3)
  if waiting.err then waiting = {} end
  for _, payload in ipairs(waiting) do look(owner, queue, payload) end
  local hash, cursor = ARGV[9] .. queue .. ARGV[10] .. owner, '0'
  repeat
    local page = redis.pcall('HSCAN', hash, cursor, 'COUNT', 16)
    if page.err then return end
    cursor = page[1]
    for i = 2, #page[2], 2 do look(owner, queue, page[2][i]) end
  until cursor == '0' or looked >= entries or room <= 0
end

local function queues_of(record)
  local is_json, fields = pcall(cjson.decode, record)
  if not is_json or type(fields) ~= 'table' or type(fields.queues) ~= 'table' then return {} end
  return fields.queues
end

local owners = redis.pcall('HKEYS', KEYS[1])
if owners.err then owners = {} end
table.sort(owners)
for i = pass + 1, math.min(pass + most_owners, #owners) do
  local record = redis.call('HGET', KEYS[1], owners[i])
  for _, queue in ipairs(record and queues_of(record) or {}) do
    if type(queue) == 'string' and places > 0 and looked < entries and room > 0 then
      places = places - 2
      look_through(owners[i], queue)
    end
  end
end
return {#owners, looked, found}
