-- decide: judges the orders, skips, cancels, charges' answers and services' claims of a batch of
-- messages for one shard, in the order given, and appends the outbox entry.
--
-- KEYS  1 the shard's meta hash
-- ARGV  1 incarnation  2 epoch  3 id for the entry  4 stock key prefix  5 window of the records, ms
--       6 '' to judge, or the state that every fresh order gets without being judged (rejected, stale)
--       7… gateway, batch, body of each message; last, the bounds of the clock (shared/shard.lua)
-- Returns {'decided', n or '' when nothing changed, prev, time, released, steps, outcomes of
-- message 1, of message 2, …}
--         or {'not_ready'}, {'halted'}, {'fenced'}, {'clock'}. Error 'BADROW message row' (from 0) before anything is written.
--
-- Outcomes: one word a row, separated by commas: a state when it was decided now; '=state' when it
-- had been decided; '!state' when it had been, with another body; past (older than the records);
-- skipped; skip_late. For cancels and answers see shared/settle.lua, for claims shared/fulfil.lua.

-- What all rows of a batch need to be read. Returns rows per message, ids per bucket, users with
-- numbers, the orders, and the names of orders that may be open, and those that are tried again.
local function survey(args)
  local messages, ids, numbered, orders, open, redriven, known = {}, {}, {}, {}, {}, {}, {}
  for at = 7, #args - 1, 3 do
    local rows = decode_rows(args[at + 2], #messages)
    messages[#messages + 1] = rows
    for r = 1, #rows do
      local row = rows[r]
      if row[7] > 0 then
        local name = row[6] .. ' ' .. row[2]
        if not known[name] then
          known[name] = true
          numbered[#numbered + 1] = { row[2], row[6] }
        end
      end
      if row[1] == 'o' or row[1] == 'r' then orders[#orders + 1] = row end
      if row[1] == 'r' then redriven[#redriven + 1] = row end
      if row[1] ~= 'o' and row[1] ~= 's' then open[#open + 1] = row[13] end
      if row[1] ~= 's' then
        local list = ids[row[14]]
        if not list then list = {}; ids[row[14]] = list end
        list[#list + 1] = row[13]
      end
    end
  end
  return messages, ids, numbered, orders, open, redriven
end

local function decide_skip(batch, row)
  local turn = batch.turns[row[6] .. ' ' .. row[2]]
  local seq = row[7]
  if seq < turn.next or turn.parked[seq] then return 'skip_late' end
  if seq == turn.next then
    pass(turn, batch.release_one)
  else
    if turn.count >= MAX_PARKED then return 'skip_late' end
    park(turn, seq, 'skip')
  end
  return 'skipped'
end

-- An order with a number: decided when the number is due, parked when it is early, superseded when
-- it has passed.
local function decide_numbered(batch, row, gateway, forced)
  -- Of a retired sale no numbers are kept.
  local sale = batch.sales[row[6]]
  if sale and sale.retired then return forced or 'sale_closed' end
  local turn = batch.turns[row[6] .. ' ' .. row[2]]
  local seq = row[7]
  if seq < turn.next then return forced or 'superseded' end
  -- Its own number may be taken by an order that waits for a rate.
  if seq > turn.next or turn.parked[seq] then
    if turn.parked[seq] or turn.count >= MAX_PARKED then return forced or 'superseded' end
    park(turn, seq, forced and 'skip' or { gateway, row })
    return forced or 'parked'
  end
  local state = forced or decide_now(batch, row, gateway)
  if state == 'no_rate' then
    if turn.count < MAX_PARKED then
      park(turn, seq, { gateway, row })
      wait_for_rate(batch, row)
      return 'parked'
    end
    state = 'fx_unavailable'
  end
  batch.after = turn
  return state
end

local function decide_order(batch, row, gateway, forced)
  local record = batch.seen[row[13]]
  if record then
    local same = string.sub(record, 1, #row[4] + 1) == row[4] .. ' '
    return (same and '=' or '!') .. string.match(record, ' (.*)$'), not same
  end
  if not forced and row[14] < batch.first_bucket then return 'past', false end
  local state
  if row[7] > 0 then
    state = decide_numbered(batch, row, gateway, forced)
  else
    state = forced or decide_now(batch, row, gateway)
    if state == 'no_rate' then
      wait_for_rate(batch, row, gateway)
      state = 'parked'
    end
  end
  remember(batch, row, state)
  -- Its number is used up only now, so that the orders let go by it come after it in the records.
  if batch.after then
    local turn = batch.after
    batch.after = nil
    pass(turn, batch.release_one)
  end
  return state, true
end

-- What happens to an order after it was decided.
local LATER = { c = cancel_order, p = settle_charge, f = fulfil_part, r = redrive_order }

local function decide(keys, args)
  local shard, refusal = open_shard(keys[1], args[1], args[2])
  if not shard then return { refusal } end
  local now, window = now_ms(), tonumber(args[5])
  if not clock_fits(now, args[#args]) then return { 'clock' } end
  local forced = args[6] ~= '' and args[6] or nil

  local messages, ids, numbered, orders, named, again = survey(args)
  local turns, open = read_turns(shard, numbered), read_open(shard, named)
  for _, row in ipairs(decode_parked(turns)) do orders[#orders + 1] = row end
  for field, o in pairs(open) do orders[#orders + 1] = as_row(field, o) end
  local batch = load_batch(shard, args[4], orders, turns, open, now, window)
  batch.seen = read_seen(shard, ids)
  batch.redriven = read_redriven(shard, again)
  batch.release_one = release_one(batch)

  local reply, entry = { 'decided', '', shard.tip, string.format('%.0f', now), '[]', '[]' }, {}
  for m, rows in ipairs(messages) do
    local gateway = args[4 + 3 * m]
    local words, news = {}, false
    for i = 1, #rows do
      local row, word, changed = rows[i]
      if row[1] == 's' then
        word = decide_skip(batch, row)
        changed = word == 'skipped'
      elseif row[1] ~= 'o' then
        word = LATER[row[1]](batch, row, gateway)
        changed = string.byte(word) == 43
      else
        word, changed = decide_order(batch, row, gateway, forced)
      end
      words[i] = word
      news = news or changed
    end
    local outcomes = table.concat(words, ',')
    reply[6 + m] = outcomes
    if news then entry[#entry + 1] = { gateway, args[5 + 3 * m], args[6 + 3 * m], outcomes } end
  end

  if #entry > 0 then
    reply[5], reply[6] = released_text(batch), steps_text(batch)
    store_batch(shard, args[4], batch, now, window)
    reply[2] = append_entry(shard, args[3], 'decide', now, entry, reply[5], reply[6])
  end
  return reply
end
redis.register_function('decide', decide)
