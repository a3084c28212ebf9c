-- Finds the folders of keys: what stands before the last slash of each. ARGV: now; after which recency to go on ('-inf' at first), and how
-- many keys to look at; what the keys begin with; how many parts of each folder to return (0: all).
-- Returns the folders, each once, and the recency to go on after ('' when there are no more keys).
local format = call('HGET', META, 'format')
if is_unknown(format) then return redis.error_reply('FORMAT ' .. format) end
local after, wanted, prefix, depth = ARGV[2], tonumber(ARGV[3]), ARGV[4], tonumber(ARGV[5])
local match = string.match
local from = after == '-inf' and after or '(' .. after
local keys = call('ZRANGEBYSCORE', ORDER, from, '+inf', 'LIMIT', 0, wanted)
local expired, is_expired = call('ZRANGEBYSCORE', EXPIRIES, '-inf', NOW), nil
if #expired > 0 then
  is_expired = {}
  for _, key in ipairs(expired) do is_expired[key] = true end
end
local parts = depth > 0 and '^(/?[^/]*' .. string.rep('/[^/]*', depth - 1) .. ')'
local seen, found, length = {}, {}, #prefix
for i = 1, #keys do
  local key = keys[i]
  if length == 0 or sub(key, 1, length) == prefix then
    local folder = match(key, '^(.+)/')
    if folder and not seen[folder] and not (is_expired and is_expired[key]) then
      seen[folder] = true
      if parts then
        folder = match(folder, parts) or folder
        found[folder] = true
      else
        found[#found + 1] = folder
      end
    end
  end
end
if parts then
  local cut = {}
  for folder in pairs(found) do cut[#cut + 1] = folder end
  found = cut
end
local last = ''
if #keys == wanted then last = call('ZSCORE', ORDER, keys[#keys]) end
return {found, last}
