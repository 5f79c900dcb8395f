-- reprice: decides orders that wait for a rate and have one now, or have waited for it long enough.
--
-- KEYS  1 the shard's meta hash
-- ARGV  1 incarnation  2 epoch  3 id for the entry  4 stock key prefix  5 window of the records, ms
--       6 orders that wait since this time (Redis's clock, ms) or longer are given up
--       7 how many are looked at  8 the bounds of the clock (shared/shard.lua)
--       9 the owner's last entry (shared/batch.lua)
-- Returns as unpark does, and last, JSON, the pairs that are still waited for.

local function turn_name(wait)
  return wait.sale .. ' ' .. wait.user
end

-- The order that waits, as it is held now. nil for a numbered one that has been released meanwhile.
local function held_by(wait, turns)
  if wait.held then return wait.held end
  local turn = turns[turn_name(wait)]
  local held = turn.parked[turn.next]
  return type(held) == 'table' and id_of(held.orders, 1) == wait.id and held or nil
end

-- Reads what the waits need. Returns the batch.
local function load_waits(shard, args, waits, now)
  local wanted, known, unnumbered = {}, {}, {}
  for _, wait in ipairs(waits) do
    if wait.held then
      unnumbered[#unnumbered + 1] = wait.held.orders
    else
      want_turn(wanted, known, wait.sale, wait.user)
    end
  end
  local turns = read_turns(shard, wanted)
  local messages = read_held_orders(turns)
  for _, orders in ipairs(unnumbered) do messages[#messages + 1] = orders end
  return load_batch(shard, args, messages, turns, {}, now)
end

local function decide_wait(batch, wait, held, over, decide_one)
  if over then batch.give_up[held.orders.order[1]] = true end
  if wait.held then return decide_one(held) end
  local turn = batch.turns[turn_name(wait)]
  turn.moved, turn.changed = true, true
  release(turn, decide_one)
end

-- Decides the waits that have a rate, or are over. Returns the texts of those that are done with,
-- and the pairs that the others wait for.
local function decide_waits(batch, waits, texts, cutoff)
  local gone, pairs_left, left, decide_one = {}, {}, {}, release_one(batch)
  for i, wait in ipairs(waits) do
    local held, over = held_by(wait, batch.turns), wait.since <= cutoff
    if held and not over and not rate_of(batch, wait.pair) then
      if not left[wait.pair] then
        left[wait.pair] = true
        pairs_left[#pairs_left + 1] = wait.pair
      end
    else
      gone[#gone + 1] = texts[i]
      if held then decide_wait(batch, wait, held, over, decide_one) end
    end
  end
  return gone, pairs_left
end

local function reprice(keys, args)
  local shard, reply, now = open_call(keys, args, args[8], args[9])
  if not shard then return reply end
  reply[7] = '[]'
  local texts = redis.call('LRANGE', shard.prefix .. 'fx', 0, tonumber(args[7]) - 1)
  if #texts == 0 then return reply end

  local waits = {}
  for i, text in ipairs(texts) do waits[i] = read_rate_wait(text) end
  local batch = load_waits(shard, args, waits, now)
  local gone, pairs_left = decide_waits(batch, waits, texts, tonumber(args[6]))
  reply[7] = list_text(pairs_left)
  for _, text in ipairs(gone) do redis.call('LREM', shard.prefix .. 'fx', 1, text) end
  if #batch.released == 0 and #batch.steps == 0 then return reply end
  return commit(batch, args, 'reprice', {}, reply)
end
redis.register_function('reprice', reprice)
