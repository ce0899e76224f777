-- Look at entries of sorted sets and queues, one after the other from a place on, and return those in which
-- some texts occur. Changes nothing, parses nothing, and stops before it takes long.
--
-- KEYS  where to look, in this order, as if they were one. The set `queues` stands for all lists it names,
--         beside which their keys are read
-- ARGV  1 prefix of a queue's list   2 "asc": the earliest time first, in a queue what runs next first; "desc"
--       3 where it begins: "rank": so many entries from the beginning; "above", "below": behind the entries
--         with a higher, a lower score; "left": in a queue, so many entries counted from what runs next are left
--       4 that number or score   5 entries to pass over after that   6 most entries to look at   7 most to return
--       8 most bytes to look at   9 bytes up to which a payload is returned in whole   10 bytes to return in all,
--         after which of each payload only the ends come   11 how long these ends are
--       12.. for each text: number of ways to write it, these ways. One of them must occur, of every text
-- returns {entries in all, where it began (entries from the beginning), entries looked at, {wrong key, ...},
--          {key, rank in it, entries of the keys before it, its size, score or "", entries with this score passed before it, bytes, payload or its beginning,
--           its end or "", ...}, score of the entry looked at last or "", entries with this score passed up to it}
local order, from, value = ARGV[2], ARGV[3], ARGV[4]
local count, most, room = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local whole, room_back, ends = tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11])
local wrong, places, total = {}, {}, 0

local function add_place(key)
  local kind = redis.call('TYPE', key).ok
  local size = 0
  if kind == 'zset' then
    size = redis.call('ZCARD', key)
  elseif kind == 'list' then
    size = redis.call('LLEN', key)
  elseif kind ~= 'none' then
    wrong[#wrong + 1] = key
  end
  if size > 0 then
    places[#places + 1] = {key = key, kind = kind, size = size}
    total = total + size
  end
end

for _, key in ipairs(KEYS) do
  if redis.call('TYPE', key).ok == 'set' then
    local names = redis.call('SMEMBERS', key)
    table.sort(names)
    for _, name in ipairs(names) do add_place(ARGV[1] .. name) end
  else
    add_place(key)
  end
end

local texts, at = {}, 12
while at <= #ARGV do
  local ways = {}
  for i = 1, tonumber(ARGV[at]) do ways[i] = ARGV[at + i] end
  texts[#texts + 1] = ways
  at = at + #ways + 1
end

local function occurs(payload)
  for _, ways in ipairs(texts) do
    local found = false
    for _, way in ipairs(ways) do
      if string.find(payload, way, 1, true) then
        found = true
        break
      end
    end
    if not found then return false end
  end
  return true
end

local function beginning()
  if #places == 0 or from == 'rank' then return tonumber(value) end
  if from == 'left' then return math.max(0, places[1].size - tonumber(value)) end
  if places[1].kind ~= 'zset' then return 0 end
  if from == 'above' then return redis.call('ZCOUNT', places[1].key, '(' .. value, '+inf') end
  return redis.call('ZCOUNT', places[1].key, '-inf', '(' .. value)
end

-- Entries `first` to `last` of a place, in order: {payload, score, payload, score, ...}.
local function slice(place, first, last)
  if place.kind == 'zset' then
    if order == 'asc' then return redis.call('ZRANGE', place.key, first, last, 'WITHSCORES') end
    return redis.call('ZREVRANGE', place.key, first, last, 'WITHSCORES')
  end
  local found, flat = nil, {}
  if order == 'desc' then
    found = redis.call('LRANGE', place.key, first, last)
    for i = 1, #found do flat[2 * i - 1], flat[2 * i] = found[i], '' end
  else
    found = redis.call('LRANGE', place.key, -1 - last, -1 - first)
    for i = #found, 1, -1 do
      flat[#flat + 1] = found[i]
      flat[#flat + 1] = ''
    end
  end
  return flat
end

-- How many entries with this score were passed before that rank.
local function ties(place, rank, score)
  if score == '' then return 0 end
  if order == 'asc' then return rank - redis.call('ZCOUNT', place.key, '-inf', '(' .. score) end
  return rank - redis.call('ZCOUNT', place.key, '(' .. score, '+inf')
end

local start = beginning() + tonumber(ARGV[5])
local hits, found, looked, step, passed = {}, 0, 0, 8, 0
local last_score, last_ties = '', 0
for _, place in ipairs(places) do
  local rank = math.max(0, start - passed)
  while rank < place.size and looked < count and found < most and room > 0 do
    local entries = slice(place, rank, math.min(rank + step, place.size, rank + count - looked) - 1)
    local bytes = 0
    for i = 1, #entries, 2 do
      local payload = entries[i]
      bytes = bytes + #payload
      looked = looked + 1
      if occurs(payload) then
        found = found + 1
        local head, tail = payload, ''
        if #payload > whole or (room_back < #payload and #payload > 2 * ends) then
          head, tail = string.sub(payload, 1, ends), string.sub(payload, -ends)
        end
        room_back = room_back - #head - #tail
        local score = entries[i + 1]
        local hit = {place.key, rank, passed, place.size, score, ties(place, rank, score), #payload, head, tail}
        for _, part in ipairs(hit) do hits[#hits + 1] = part end
      end
      rank = rank + 1
      last_score = entries[i + 1]
      if found >= most then break end
    end
    if #entries == 0 then break end
    last_ties = ties(place, rank, last_score)
    room = room - bytes
    -- Small steps until it is known how large the entries are: one could have a megabyte.
    step = math.max(1, math.min(step * 8, 500, math.floor(room / (bytes * 2 / #entries + 1))))
  end
  passed = passed + place.size
end
return {total, start, looked, wrong, hits, last_score, last_ties}
