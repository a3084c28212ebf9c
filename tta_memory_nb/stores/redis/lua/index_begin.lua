-- Begins the index of a namespace, or ends it. ARGV: now, how the index describes records ('' ends it), '', '', 0, and the
-- generation whose index is lost ('' for none).
-- Returns the generation of the index, '' when there is none any more. A new generation begins without any shadow;
-- index_mark.lua lists the records that are there already.
local refused = open()
if refused then return refused end
if ARGV[2] == '' then
  if shadows then
    call('UNLINK', PENDING, BARE)
    call('HSET', META, 'format', FORMAT .. (history and '+history' or ''))
    call('HDEL', META, 'index', 'index_as', 'index_from', 'index_words', 'index_counted', 'index_vectors', 'bare_from')
  end
  return ''
end
local known = call('HMGET', META, 'index', 'index_as')
if shadows and known[2] == ARGV[2] and known[1] ~= ARGV[6] then return known[1] end
seq = seq + 1
call('UNLINK', sub(VALUES, 1, -7) .. 'pending', sub(VALUES, 1, -7) .. 'bare')
call('HSET', META, 'seq', whole(seq), 'format', FORMAT .. '+index' .. (history and '+history' or ''), 'index', whole(seq), 'index_as', ARGV[2])
call('HDEL', META, 'index_words', 'index_counted', 'index_vectors', 'bare_from')
if call('EXISTS', ORDER) == 1 then call('HSET', META, 'index_from', '-inf') else call('HDEL', META, 'index_from') end
return whole(seq)
