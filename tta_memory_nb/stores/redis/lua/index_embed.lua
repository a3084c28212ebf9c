-- Adds vectors to shadows. ARGV: now, generation, the field that vectors are kept in, then of each record: key, version (8
-- bytes, as in its header) and vector ('' for a record without text).
-- Returns how many records were looked at; -1 if another generation or another field is the one that counts.
-- A record that was written since it was read stays listed, and so does one that has no shadow yet.
local meta = call('HMGET', META, 'index', 'index_vectors')
if meta[1] ~= ARGV[2] or meta[2] ~= ARGV[3] then return -1 end
-- First what needs room, as in index_write.lua.
call('HINCRBY', META, 'index_counted', 0)
local prefix = sub(VALUES, 1, -7)
local escaped = {['\0'] = '%00', ['%'] = '%25'}  -- as in writing.lua
local done = {}
for i = 4, #ARGV, 3 do
  local key = ARGV[i]
  local name = prefix .. 'i' .. ARGV[2] .. ':' .. string.gsub(key, '[%z%%]', escaped)
  local blob = call('HGET', VALUES, key)
  local is_there = blob and not is_tombstone(blob)
  if not is_there then
    done[#done + 1] = key
  elseif sub(blob, 26, 33) == ARGV[i + 1] and call('EXISTS', name) == 1 then
    local former = call('HGET', name, 'm')
    if former and former ~= ARGV[3] then call('HDEL', name, former) end
    if ARGV[i + 2] ~= '' then call('HSET', name, 'm', ARGV[3], ARGV[3], ARGV[i + 2]) end
    done[#done + 1] = key
  end
end
if #done > 0 then call('SREM', prefix .. 'bare', unpack(done)) end
return #done
