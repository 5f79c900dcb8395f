-- decide: judges the orders, skips, cancels, charges' answers and services' reports of a batch of
-- messages for one shard, in the order given, and appends the outbox entry.
--
-- KEYS  1 the shard's meta hash
-- ARGV  1 incarnation  2 epoch  3 id for the entry  4 stock key prefix  5 window of the records, ms
--       6 '' to judge, or the state that every fresh order gets without being judged (rejected,
--         stale)
--       7… gateway, batch, body of each message; last two, the bounds of the clock
--       (shared/shard.lua) and the owner's last entry (shared/batch.lua)
-- Returns {'decided', n or '' when nothing changed, prev, time, released, steps, outcomes of each
--         message} or {'not_ready'}, {'halted'}, {'fenced'}, {'clock'}, {'lost'}.
-- Error 'BADROW message -1 reason' (message from 0), before anything is written.
--
-- Outcomes: one word a row, separated by commas: a state when it was decided now; '=state' when it
-- had been decided; '!state' when it had been, with another body; past (older than the records);
-- skipped; skip_late. For cancels and answers see shared/settle.lua, for reports shared/fulfil.lua,
-- for redriven orders shared/redrive.lua.

-- Adds the orders of a message to the records to read: a list of {bucket, fields}.
local function want_records(records, orders)
  local order, bucket = orders.order, orders.bucket
  if orders.one_bucket then
    records[#records + 1] = { bucket = orders.one_bucket, fields = order }
    return
  end
  local lists = {}
  for i = 1, orders.count do
    local list = lists[bucket[i]]
    if not list then
      list = {}
      lists[bucket[i]] = list
      records[#records + 1] = { bucket = bucket[i], fields = list }
    end
    list[#list + 1] = order[i]
  end
end

-- Adds the rows of a message other than plain orders to what is read for them.
local function want_others(named, redriven, orders)
  for i = 1, orders.count do
    local kind = orders.kinds[i]
    if kind ~= KIND.order and kind ~= KIND.skip then named[#named + 1] = orders.order[i] end
    if kind == KIND.redrive then
      redriven[#redriven + 1] = { sale = orders.sale[i], field = orders.order[i] }
    end
  end
end

-- Whether all rows are answers about charges. They need no records: what they are about is open, or
-- long over.
local function has_answers_only(orders)
  return orders.kinds and not string.find(orders.kind, '[^' .. string.char(KIND.answer) .. ']')
end

-- Decodes the messages, and lists what their rows need to be read: records (of all rows), numbered
-- (sale → users with numbers), named (orders that may be open), redriven.
local function survey(args)
  local messages, records, numbered, known, named, redriven = {}, {}, {}, {}, {}, {}
  for at = 7, #args - 2, 3 do
    local orders = decode_orders(args[at + 2], #messages)
    messages[#messages + 1] = orders
    if not has_answers_only(orders) then want_records(records, orders) end
    local seq = rawget(orders, 'seq')
    if seq then
      for i = 1, orders.count do
        if seq[i] > 0 then want_turn(numbered, known, orders.sale[i], user_of(orders, i)) end
      end
    end
    if orders.kinds then want_others(named, redriven, orders) end
  end
  return messages, records, numbered, named, redriven
end

-- Reads all that the messages need.
local function load_messages(shard, args, now)
  local messages, records, numbered, named, redriven = survey(args)
  local turns, open = read_turns(shard, numbered), read_open(shard, named)
  local judged = read_held_orders(turns)
  for _, orders in ipairs(messages) do judged[#judged + 1] = orders end
  local batch = load_batch(shard, args, judged, turns, open, now)
  for _, record in ipairs(records) do read_seen(batch.seen, shard, record.bucket, record.fields) end
  batch.redriven = read_redriven(shard, redriven)
  batch.release_one = release_one(batch)
  return messages, batch
end

local function turn_of(batch, orders, i)
  return batch.turns[orders.sale[i] .. ' ' .. user_of(orders, i)]
end

local function decide_skip(batch, orders, i)
  local turn, seq = turn_of(batch, orders, i), orders.seq[i]
  if seq < turn.next or turn.parked[seq] then return 'skip_late' end
  if seq == turn.next then
    pass(turn, batch.release_one)
  else
    if turn.count >= MAX_PARKED then return 'skip_late' end
    park(turn, seq, 'skip')
  end
  return 'skipped'
end

-- Decides an order with a number: when the number is due. It is parked when it is early, and
-- superseded when the number has passed. Returns its state, and the turn that it uses up.
local function decide_numbered(batch, orders, i, gateway, forced)
  -- Of a retired sale no numbers are kept.
  local sale = batch.sales[orders.sale[i]]
  if sale and sale.retired then return forced or 'sale_closed' end
  local turn, seq = turn_of(batch, orders, i), orders.seq[i]
  if seq < turn.next then return forced or 'superseded' end
  -- An order that waits for a rate may have the due number.
  if seq > turn.next or turn.parked[seq] then
    if turn.parked[seq] or turn.count >= MAX_PARKED then return forced or 'superseded' end
    if forced then park(turn, seq, 'skip') else park_order(turn, gateway, orders, i) end
    return forced or 'parked'
  end
  local state = forced or decide_now(batch, orders, i, gateway)
  if state == 'no_rate' then
    if turn.count < MAX_PARKED then
      park_order(turn, gateway, orders, i)
      wait_for_rate(batch, orders, i)
      return 'parked'
    end
    state = 'fx_unavailable'
  end
  return state, turn
end

local function wait_unnumbered(batch, orders, i, gateway)
  wait_for_rate(batch, orders, i, gateway)
  return 'parked'
end

-- The word of an order that has a record, and whether it is news.
local function known_word(record, fingerprint)
  local same = string.sub(record, 1, #fingerprint + 1) == fingerprint .. ' '
  return (same and '=' or '!') .. string.match(record, ' (.*)$'), not same
end

-- Decides row i, an order. Returns its word, and whether it is news.
local function decide_order(batch, orders, i, gateway, forced)
  local field = orders.order[i]
  local record = batch.seen[field]
  local fingerprint = orders.fingerprint[i]
  if record then return known_word(record, fingerprint) end
  local bucket = bucket_of(orders, i)
  if not forced and bucket < batch.first_bucket then return 'past', false end
  local state, turn
  if orders.seq[i] > 0 then
    state, turn = decide_numbered(batch, orders, i, gateway, forced)
  else
    state = forced or decide_now(batch, orders, i, gateway)
    if state == 'no_rate' then state = wait_unnumbered(batch, orders, i, gateway) end
  end
  remember(batch, field, bucket, fingerprint .. ' ' .. state)
  -- The number is used up only now: the records of the orders that this releases come after it.
  if turn then pass(turn, batch.release_one) end
  return state, true
end

local NO_ROWS, NO_SALE = {}, { opens = 0, closes = 0, sold_out = {} }

-- What happens to an order after it was decided.
local LATER = {
  [KIND.cancel] = cancel_order,
  [KIND.answer] = settle_charge,
  [KIND.part] = fulfil_part,
  [KIND.redrive] = redrive_order,
}

-- Decides row i of a message of rows of several kinds.
local function decide_row(batch, orders, i, gateway, forced)
  local kind = orders.kinds[i]
  if kind == KIND.order then return decide_order(batch, orders, i, gateway, forced) end
  if kind == KIND.skip then
    local word = decide_skip(batch, orders, i)
    return word, word == 'skipped'
  end
  local word = LATER[kind](batch, orders, i, gateway)
  return word, string.byte(word) == 43
end

-- Decides a message of rows of several kinds. Returns one word per row, and whether any is news.
local function decide_rows(batch, orders, gateway, forced)
  local words, news = {}, false
  for i = 1, orders.count do
    local word, changed = decide_row(batch, orders, i, gateway, forced)
    words[i] = word
    news = news or changed
  end
  return words, news
end

-- The rows of one line whose item has been sold out since an earlier batch: most of a rush. judge
-- would find no more than this loop. Returns row → 'sold_out'.
local function sold_out_rows(batch, orders)
  local rows = {}
  if batch.any_marks or not orders.single then return rows end
  local sales, sale, sku, at = batch.sales, orders.sale, orders.sku, orders.at
  local last, opens, closes, sold_out
  for i = 1, orders.count do
    local id = sale[i]
    if id ~= last then
      local found = sales[id] or NO_SALE
      last, opens, closes, sold_out = id, found.opens, found.closes, found.sold_out
    end
    if sold_out[sku[i]] and at[i] >= opens and at[i] < closes then rows[i] = 'sold_out' end
  end
  return rows
end

-- Decides a message of orders only, as decide_rows does. Most are fresh orders without a number:
-- they are decided here as decide_order would decide them, for half its calls.
local function decide_orders(batch, orders, gateway, forced)
  local order, seq, fingerprint = orders.order, orders.seq, orders.fingerprint
  local seen, words, news = batch.seen, {}, false
  local one = orders.one_bucket
  local plain = not forced and one and one >= batch.first_bucket
  local sold_out = plain and sold_out_rows(batch, orders) or NO_ROWS
  local fresh = plain and fresh_records(batch, one)
  for i = 1, orders.count do
    local field, word, changed = order[i], sold_out[i], true
    if not plain or seq[i] > 0 or seen[field] then
      word, changed = decide_order(batch, orders, i, gateway, forced)
    else
      if not word then
        word = decide_now(batch, orders, i, gateway)
        if word == 'no_rate' then word = wait_unnumbered(batch, orders, i, gateway) end
      end
      -- As remember: a call for each order would be noticeable.
      local record, n = fingerprint[i] .. ' ' .. word, fresh.n
      seen[field] = record
      fresh[n + 1], fresh[n + 2], fresh.n = field, record, n + 2
    end
    words[i] = word
    news = news or changed
  end
  return words, news
end

local function decide(keys, args)
  local shard, reply, now = open_call(keys, args, args[#args - 1], args[#args])
  if not shard then return reply end
  local forced = args[6] ~= '' and args[6] or nil
  local messages, batch = load_messages(shard, args, now)
  local entry = {}
  for m, orders in ipairs(messages) do
    local gateway = args[4 + 3 * m]
    local decide_all = orders.kinds and decide_rows or decide_orders
    local words, news = decide_all(batch, orders, gateway, forced)
    local outcomes = table.concat(words, ',')
    reply[6 + m] = outcomes
    if news then
      entry[#entry + 1] = { gateway = gateway, batch = args[5 + 3 * m], body = args[6 + 3 * m],
        outcomes = outcomes }
    end
  end
  if #entry == 0 then return reply end
  return commit(batch, args, 'decide', entry, reply)
end
redis.register_function('decide', decide)
