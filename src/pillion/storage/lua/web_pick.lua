-- Find entries of a sorted set or of a queue again that a page has shown. Changes nothing.
--
-- KEYS  1 the sorted set or the list
-- ARGV  1 how long the ends are that a digest is made of; then for each entry: its score ("" in a queue), its rank
--         when it was shown (a set: counted from the earliest; a queue: from what runs next), its digest
-- returns {payload, score, ...}, one pair for each, both false if it is no longer there
--
-- The digest of a payload is the SHA-1 of its length, its beginning and its end: quick, however large it is.
local ends = tonumber(ARGV[1])
local near, seen = 300, {}

local function digest(payload)
  local known = seen[payload]
  if not known then
    local head, tail = string.sub(payload, 1, ends), string.sub(payload, -ends)
    known = string.sub(redis.sha1hex(#payload .. ':' .. head .. tail), 1, 16)
    seen[payload] = known
  end
  return known
end

local function search(entries, wanted)
  for i = 1, #entries do
    if digest(entries[i]) == wanted then return entries[i] end
  end
  return nil
end

-- Others run or are deleted, and an entry comes nearer to the beginning; seldom it goes back.
local function around(rank)
  return math.max(0, rank - near), rank + 20
end

local function in_set(score, rank, wanted)
  local same = redis.call('ZRANGEBYSCORE', KEYS[1], score, score, 'LIMIT', 0, 50)
  local found = search(same, wanted)
  if not found and #same == 50 then
    local first, last = around(rank)
    found = search(redis.call('ZRANGE', KEYS[1], first, last), wanted)
    if found and tonumber(redis.call('ZSCORE', KEYS[1], found)) ~= tonumber(score) then found = nil end
  end
  return found
end

local function in_queue(rank, wanted)
  local first, last = around(rank)
  return search(redis.call('LRANGE', KEYS[1], -1 - last, -1 - first), wanted)
end

local result = {}
for i = 2, #ARGV, 3 do
  local score, rank, wanted = ARGV[i], tonumber(ARGV[i + 1]), ARGV[i + 2]
  local found = nil
  if score == '' then found = in_queue(rank, wanted) else found = in_set(score, rank, wanted) end
  result[#result + 1] = found or false
  result[#result + 1] = found and score or false
end
return result
