-- Note an operation on many jobs, unless whoever begins it has one that runs: the look and the note are one step, or
-- two clicks at once would begin two.
--
-- KEYS  1 pl:bulks
-- ARGV  1 its id   2 its record   3 who begins it   4 a record that was written before that (epoch s) is of one that
--         stands still   5 seconds for which records are kept   6.. ids of old operations, which are forgotten
-- returns the id of the one that runs, and nothing was changed; else ''
local records = redis.call('HGETALL', KEYS[1])
for i = 1, #records, 2 do
  local is_json, record = pcall(cjson.decode, records[i + 1])
  if is_json and type(record) == 'table' and record.actor == ARGV[3] and record.state == 'running'
    and (tonumber(record.updated_at) or 0) >= tonumber(ARGV[4]) then
    return records[i]
  end
end
for i = 6, #ARGV do redis.call('HDEL', KEYS[1], ARGV[i]) end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[5])
return ''
