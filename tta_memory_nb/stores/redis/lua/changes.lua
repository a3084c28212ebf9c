-- ---- changes of records that are kept, if the format of the namespace says so
--
-- The hash `changes` has them under numbers without gaps, which count from 1. Each is, big-endian: its instant (a double), its event (1
-- byte), the sizes of key (4 bytes) and author (2 bytes), then key, author (JSON), and the bytes of the record before the change, none if there was
-- no record. Of a change that was dropped out of turn, only the instant is left. history.py reads them.

local WRITTEN, TOUCHED, DELETED, EVICTED, EXPIRED, UNDONE, RESTORED = 1, 2, 3, 4, 5, 6, 7
local CHANGES = sub(VALUES, 1, -7) .. 'changes'

-- So many changes are made between two looks at what is to be dropped; set.lua knows the same number.
local SLACK = 256

-- What the namespace keeps: the bounds as text, how many changes, for how many seconds (nil for any time), the numbers of the first and the
-- last of them, the instant of the last one, and since when all are known. Nil if it keeps none.
local history
-- Who calls the script, and what is not written yet: number and change in turns.
local author, unsaved = '', {}

local function is_keeping(format) return format and string.find(format, '+history', 1, true) end

-- Reads what the namespace keeps.
local function read_history()
  local meta = call('HMGET', META, 'history', 'history_first', 'history_last', 'history_at', 'history_since')
  local most, seconds = string.match(meta[1], '^(%d+):(.*)$')
  history = {
    bounds = meta[1], most = tonumber(most), seconds = tonumber(seconds), first = tonumber(meta[2]),
    last = tonumber(meta[3]), at = tonumber(meta[4]), since = tonumber(meta[5]), saved = tonumber(meta[3]),
  }
end

local function at_of(number) return (unpacked('>d', call('HGET', CHANGES, whole(number)))) end

-- Whether the changes are there that should be: the server may have evicted them.
local function is_whole() return call('HLEN', CHANGES) == history.saved - history.first + 1 end

-- Returns the number of the last change that is not to be kept at an instant.
local function last_dropped(at)
  local dropped = math.max(history.first - 1, history.last - history.most)
  if history.seconds and dropped < history.last then
    local low, high = dropped, history.last
    while low < high do
      local middle = math.ceil((low + high) / 2)
      if at_of(middle) < at - history.seconds then low = middle else high = middle - 1 end
    end
    dropped = low
  end
  return dropped
end

local function write_unsaved()
  if #unsaved > 0 then call('HSET', CHANGES, unpack(unsaved)) end
  unsaved = {}
end

-- Notes a change. Its script has written something before: a server without room refuses the first write of a script only.
local function note(event, key, before)
  if not history then return end
  local last, size = history.last, #unsaved
  if last == history.saved then history.at = math.max(history.at, now) end
  last = last + 1
  history.last = last
  local by = event == EXPIRED and '' or author
  unsaved[size + 1] = last  -- a number below 10^14 becomes a text without an exponent
  unsaved[size + 2] = pack('>dBI4I2', history.at, event, #key, #by) .. key .. by .. (before or '')
  if size + 2 == MOST then write_unsaved() end
end

-- Notes that a record is gone: one that had expired has not been deleted, or whatever else has ended it.
local function note_end(event, key, blob)
  if history then note(is_live(blob) and event or EXPIRED, key, blob) end
end

-- Drops all changes that are kept.
local function forget_changes()
  call('UNLINK', CHANGES)
  unsaved = {}
  history.first, history.since = history.last + 1, history.at
end

local function save_bounds()
  call('HSET', META, 'history_first', whole(history.first), 'history_last', whole(history.last), 'history_at',
    string.format('%.17g', history.at), 'history_since', string.format('%.17g', history.since))
end

-- Drops what is not to be kept, some at a time.
local function trim_changes()
  history.saved = history.last
  if not is_whole() then
    forget_changes()
  else
    local dropped = math.min(last_dropped(history.at), history.first + 5 * MOST)
    if dropped < history.first then return end
    history.since = at_of(dropped)
    for from = history.first, dropped, MOST do
      local numbers = {}
      for number = from, math.min(from + MOST - 1, dropped) do numbers[#numbers + 1] = whole(number) end
      call('HDEL', CHANGES, unpack(numbers))
    end
    history.first = dropped + 1
  end
  save_bounds()
end

-- Writes what was noted; each script that notes anything ends with it.
local function save_changes()
  if not history or history.last == history.saved then return end
  write_unsaved()
  call('HSET', META, 'history_last', whole(history.last), 'history_at', string.format('%.17g', history.at))
  if math.floor(history.last / SLACK) > math.floor(history.saved / SLACK) then trim_changes() end
end
