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
--          score of the entry looked at last or "", entries with this score passed up to it, {run, ...}}
--   a run are entries that follow each other: {key, rank of the first in it, entries of the keys before it, its
--   size, entries with the score of the first passed before it, {payload, score, payload, score, ...}}; in a queue
--   without scores; in place of a large payload {its bytes, its beginning, its end}
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
    places[#places + 1] = {key = key, is_set = kind == 'zset', size = size}
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
  if not places[1].is_set then return 0 end
  if from == 'above' then return redis.call('ZCOUNT', places[1].key, '(' .. value, '+inf') end
  return redis.call('ZCOUNT', places[1].key, '-inf', '(' .. value)
end

-- The payloads of entries `first` to `last` of a place, in order; and their scores, where all are returned anyway.
local function slice(place, first, last)
  local range = order == 'asc' and 'ZRANGE' or 'ZREVRANGE'
  if place.is_set and #texts > 0 then return redis.call(range, place.key, first, last), nil end
  if place.is_set then
    local flat, payloads, scores = redis.call(range, place.key, first, last, 'WITHSCORES'), {}, {}
    for i = 1, #flat / 2 do payloads[i], scores[i] = flat[2 * i - 1], flat[2 * i] end
    return payloads, scores
  end
  if order == 'desc' then return redis.call('LRANGE', place.key, first, last), nil end
  local found = redis.call('LRANGE', place.key, -1 - last, -1 - first)
  for i = 1, math.floor(#found / 2) do found[i], found[#found + 1 - i] = found[#found + 1 - i], found[i] end
  return found, nil
end

-- How many entries with this score were passed before that rank.
local function ties(place, rank, score)
  if order == 'asc' then return rank - redis.call('ZCOUNT', place.key, '-inf', '(' .. score) end
  return rank - redis.call('ZCOUNT', place.key, '(' .. score, '+inf')
end

local function sendable(payload)
  if #payload <= whole and (#payload <= room_back or #payload <= 2 * ends) then
    room_back = room_back - #payload
    return payload
  end
  room_back = room_back - 2 * ends
  return {#payload, string.sub(payload, 1, ends), string.sub(payload, -ends)}
end

local start = beginning() + tonumber(ARGV[5])
local runs, found, looked, step, passed = {}, 0, 0, 8, 0
local last_score, last_ties = '', 0
for _, place in ipairs(places) do
  local rank = math.max(0, start - passed)
  local run, last = nil, nil
  while rank < place.size and looked < count and found < most and room > 0 do
    local entries, scores = slice(place, rank, math.min(rank + step, place.size, rank + count - looked) - 1)
    if #entries == 0 then break end
    local bytes = 0
    for i = 1, #entries do
      last = entries[i]
      bytes = bytes + #last
      looked = looked + 1
      if occurs(last) then
        found = found + 1
        local score = place.is_set and (scores and scores[i] or redis.call('ZSCORE', place.key, last)) or nil
        if not run then
          run = {}
          runs[#runs + 1] = {place.key, rank, passed, place.size, score and ties(place, rank, score) or 0, run}
        end
        run[#run + 1] = sendable(last)
        run[#run + 1] = score
      else
        run = nil
      end
      rank = rank + 1
      if found >= most then break end
    end
    room = room - bytes
    -- Small steps until it is known how large the entries are: one could have a megabyte.
    step = math.max(1, math.min(step * 8, 500, math.floor(room / (bytes / #entries + 1))))
  end
  if last and place.is_set then
    last_score = redis.call('ZSCORE', place.key, last)
    last_ties = ties(place, rank, last_score)
  end
  passed = passed + place.size
end
return {total, start, looked, wrong, last_score, last_ties, runs}
