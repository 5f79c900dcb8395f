-- reprice: decides orders that wait for a rate and have one now, or have waited for it long enough.
--
-- KEYS  1 the shard's meta hash
-- ARGV  1 incarnation  2 epoch  3 id for the entry  4 stock key prefix  5 window of the records, ms
--       6 orders that wait since this time (Redis's clock, ms) or longer are given up  7 so many are looked at
--       8 the bounds of the clock (shared/shard.lua): {'clock'} beyond them
-- Returns as unpark does; and at last, JSON, the pairs that are still waited for.

-- A numbered order waits at its number: who is it now? nil: it has been let go meanwhile.
local function waiting_at(turns, wait)
  local turn = turns[wait[3] .. ' ' .. wait[4]]
  local held = turn and turn.parked[turn.next]
  return type(held) == 'table' and held[2][3] == wait[5] and held or nil
end

local function reprice(keys, args)
  local shard, refusal = open_shard(keys[1], args[1], args[2])
  if not shard then return { refusal } end
  local now = now_ms()
  if not clock_fits(now, args[8]) then return { 'clock' } end
  local reply = { 'decided', '', shard.tip, string.format('%.0f', now), '[]', '[]', '[]' }
  local texts = redis.call('LRANGE', shard.prefix .. 'fx', 0, tonumber(args[7]) - 1)
  if #texts == 0 then return reply end

  local waits, wanted, rows, named = {}, {}, {}, {}
  for i, text in ipairs(texts) do
    local wait = cjson.decode(text)
    waits[i] = wait
    if type(wait[4]) == 'table' then
      local row = wait[4]
      name_row(row)
      rows[#rows + 1] = row
    elseif not named[wait[3] .. ' ' .. wait[4]] then
      named[wait[3] .. ' ' .. wait[4]] = true
      wanted[#wanted + 1] = { wait[4], wait[3] }
    end
  end
  local turns = read_turns(shard, wanted)
  for _, row in ipairs(decode_parked(turns)) do rows[#rows + 1] = row end
  local batch = load_batch(shard, args[4], rows, turns, {}, now, tonumber(args[5]))
  local decide_one = release_one(batch)

  local gone, pairs_left, left = {}, {}, {}
  for i, wait in ipairs(waits) do
    local numbered = type(wait[4]) ~= 'table'
    local held = numbered and waiting_at(turns, wait) or not numbered and { wait[3], wait[4] } or nil
    local over = wait[1] <= tonumber(args[6])
    if held and not over and not rate_of(batch, wait[2]) then
      if not left[wait[2]] then
        left[wait[2]] = true
        pairs_left[#pairs_left + 1] = wait[2]
      end
    else
      gone[#gone + 1] = texts[i]
      if held then
        if over then batch.give_up[held[2][13]] = true end
        if numbered then
          local turn = turns[wait[3] .. ' ' .. wait[4]]
          turn.moved, turn.changed = true, true
          release(turn, decide_one)
        else
          decide_one(held)
        end
      end
    end
  end
  if #pairs_left > 0 then reply[7] = cjson.encode(pairs_left) end
  for _, text in ipairs(gone) do redis.call('LREM', shard.prefix .. 'fx', 1, text) end
  if #batch.released == 0 and #batch.steps == 0 then return reply end
  reply[5], reply[6] = released_text(batch), steps_text(batch)
  store_batch(shard, args[4], batch, now, tonumber(args[5]))
  reply[2] = append_entry(shard, args[3], 'reprice', now, {}, reply[5], reply[6])
  return reply
end
redis.register_function('reprice', reprice)
