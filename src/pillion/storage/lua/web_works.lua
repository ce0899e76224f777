-- What the listed processes are running, in the order of their names. Changes nothing.
--
-- KEYS  1 processes; beside it the work hashes of the processes are read, whose names nobody knows before
-- ARGV  1 running jobs to pass over   2 most to look at   3 bytes up to which an entry is returned in whole
--       4 how long its ends are, if it is larger   5 a text that must occur in it ("" any)   6 most bytes in all
--       7 prefix of the state of an iteration   8 prefix of a progress   9.. what the key of a work hash ends
--         with, the first that exists counts
-- returns {running jobs in all, looked at, {identity, thread, bytes, entry or its beginning, its end or "",
--          jid that seems to be in it, {field, value, ...} of its iteration, its progress or "", ...}}
local pass, most, whole, ends = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local text, room = ARGV[5], tonumber(ARGV[6])
local total, looked, found = 0, 0, {}

local function work_key(identity)
  for i = 9, #ARGV do
    local size = redis.pcall('HLEN', identity .. ARGV[i])
    if type(size) == 'number' and size > 0 then return identity .. ARGV[i], size end
  end
  return nil, 0
end

local function add(identity, thread, entry)
  if text ~= '' and not string.find(entry, text, 1, true) then return end
  local head, tail = entry, ''
  if #entry > whole or room < 0 then head, tail = string.sub(entry, 1, ends), string.sub(entry, -ends) end
  room = room - #head - #tail
  -- The payload is a text inside of a text, so its quotes have a backslash before them.
  local quoted_jid = '\\"jid\\":\\"([%w_.:-]+)\\"'
  local jid = string.match(head, quoted_jid) or string.match(tail, quoted_jid) or ''
  local iteration, progress = {}, ''
  if jid ~= '' then
    iteration = redis.pcall('HGETALL', ARGV[7] .. jid)
    progress = redis.pcall('GET', ARGV[8] .. jid) or ''
    if iteration.err then iteration = {} end
    if type(progress) == 'table' then progress = '' end
  end
  for _, part in ipairs({identity, thread, #entry, head, tail, jid, iteration, progress}) do found[#found + 1] = part end
end

local listed = redis.call('SMEMBERS', KEYS[1])
table.sort(listed)
for _, identity in ipairs(listed) do
  local key, size = work_key(identity)
  if key and looked < most and total + size > pass then
    local entries = redis.call('HGETALL', key)
    for i = 1, #entries, 2 do
      if total + (i + 1) / 2 > pass and looked < most then
        looked = looked + 1
        add(identity, entries[i], entries[i + 1])
      end
    end
  end
  total = total + size
end
return {total, looked, found}
