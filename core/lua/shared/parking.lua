-- Numbered orders are decided in the order of their numbers. One that comes too early is parked
-- until its number is due; a number can be given up ("skip"). A user with anything parked is in
-- `waiting`, and in `gaps` by the time the wait for the missing number began.
--
--   park:<sale>:<user>  hash  <seq> → 'skip', or {"gateway", "orders": a message of the one order}
--
-- An earlier version wrote [gateway, row] instead; it is still read.

-- Adds the parked orders and the count of the turns that have any.
local function read_parked(shard, turns, names)
  local counts = hmget(shard.prefix .. 'waiting', names)
  for i, count in ipairs(counts) do
    if count then
      local turn = turns[names[i]]
      local flat = redis.call('HGETALL', shard.prefix .. 'park:' .. turn.sale .. ':' .. turn.user)
      for j = 1, #flat, 2 do turn.parked[tonumber(flat[j])] = flat[j + 1] end
      turn.count, turn.waited = tonumber(count), true
    end
  end
end

-- Numbers and parked orders of the users in a batch, read once. wanted: sale → list of users, each
-- once. Returns 'sale user' → {user, sale, next, parked = seq → text, count}.
local function read_turns(shard, wanted)
  local turns = {}
  if next(wanted) == nil then return turns end
  local any_waits = redis.call('EXISTS', shard.prefix .. 'waiting') == 1
  for sale, users in pairs(wanted) do
    local nexts = hmget(shard.prefix .. 'next:' .. sale, users)
    local names = {}
    for i, user in ipairs(users) do
      names[i] = sale .. ' ' .. user
      turns[names[i]] =
        { user = user, sale = sale, next = tonumber(nexts[i] or 1), parked = {}, count = 0 }
    end
    if any_waits then read_parked(shard, turns, names) end
  end
  return turns
end

-- Adds a user of a sale to what read_turns takes. known: the set of those that are in it.
local function want_turn(wanted, known, sale, user)
  local name = sale .. ' ' .. user
  if known[name] then return end
  known[name] = true
  local users = wanted[sale]
  if not users then users = {}; wanted[sale] = users end
  users[#users + 1] = user
end

-- A held order's text as {gateway, orders}.
local function read_held(text)
  local held = cjson.decode(text)
  if held.orders then return { gateway = held.gateway, orders = one_order(held.orders) } end
  local gateway, row = unpack(held)
  return { gateway = gateway, orders = one_order_of_row(row) }
end

-- Reads the parked orders of these turns in place, and returns the message of each: the batch needs
-- their items too.
local function read_held_orders(turns)
  local messages = {}
  for _, turn in pairs(turns) do
    for seq, text in pairs(turn.parked) do
      if text ~= 'skip' then
        local held = read_held(text)
        turn.parked[seq] = held
        messages[#messages + 1] = held.orders
      end
    end
  end
  return messages
end

-- held: 'skip' or {gateway, orders}.
local function park(turn, seq, held)
  turn.parked[seq] = held
  turn.count = turn.count + 1
  turn.added = turn.added or {}
  turn.added[seq] = true
  turn.changed = true
end

-- Parks row i of a message.
local function park_order(turn, gateway, orders, i)
  park(turn, orders.seq[i], { gateway = gateway, orders = one_order(message_of(orders, i)) })
end

-- Releases what is parked from the turn's next number on, up to an order that has to wait for a
-- rate. decide_one(held) judges a parked order.
local function release(turn, decide_one)
  local held = turn.parked[turn.next]
  while held do
    if held ~= 'skip' and not decide_one(held) then break end
    turn.parked[turn.next] = nil
    turn.count = turn.count - 1
    turn.removed = turn.removed or {}
    turn.removed[#turn.removed + 1] = turn.next
    turn.next = turn.next + 1
    held = turn.parked[turn.next]
  end
end

-- The number is used up: the next one is due, and what waits for it is released.
local function pass(turn, decide_one)
  turn.next = turn.next + 1
  turn.changed = true
  turn.moved = true
  release(turn, decide_one)
end

local function held_text(held)
  return cjson.encode({ gateway = held.gateway, orders = message_of(held.orders, 1) })
end

local function write_parked(shard, turn)
  local key = shard.prefix .. 'park:' .. turn.sale .. ':' .. turn.user
  if turn.removed then call_in_chunks('HDEL', key, turn.removed) end
  if turn.added then
    local fields = {}
    for seq in pairs(turn.added) do
      local held = turn.parked[seq]
      if held then
        fields[#fields + 1] = seq
        fields[#fields + 1] = held == 'skip' and held or held_text(held)
      end
    end
    call_in_chunks('HSET', key, fields)
  end
end

-- Writes the parked orders of a turn that changed. A gap that went on keeps its clock; a new one
-- starts at `now`.
local function write_turn(shard, name, turn, now)
  local gaps = shard.prefix .. 'gaps'
  write_parked(shard, turn)
  if turn.count == 0 then
    redis.call('HDEL', shard.prefix .. 'waiting', name)
    redis.call('ZREM', gaps, name)
    redis.call('DEL', shard.prefix .. 'park:' .. turn.sale .. ':' .. turn.user)
    return
  end
  redis.call('HSET', shard.prefix .. 'waiting', name, turn.count)
  redis.call('ZADD', gaps, turn.moved and 'XX' or 'NX', string.format('%.0f', now), name)
  if turn.moved and not turn.waited then
    redis.call('ZADD', gaps, 'NX', string.format('%.0f', now), name)
  end
end

local function write_turns(shard, turns, now)
  local nexts = {}
  for name, turn in pairs(turns) do
    if turn.moved then
      local list = nexts[turn.sale]
      if not list then list = {}; nexts[turn.sale] = list end
      list[#list + 1] = turn.user
      list[#list + 1] = turn.next
    end
    if turn.changed and (turn.waited or turn.count > 0) then write_turn(shard, name, turn, now) end
  end
  for sale, flat in pairs(nexts) do
    call_in_chunks('HSET', shard.prefix .. 'next:' .. sale, flat)
  end
end
