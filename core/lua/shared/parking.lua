-- Numbered orders are decided in the order of their numbers. One that comes too early is parked
-- until its number is due; a number can be given up ("skip"). A user with anything parked stands in
-- `waiting`, and in `gaps` by the time the wait for his missing number began.

-- A user may have this much parked per sale; a window this wide covers any client that pipelines,
-- and it bounds memory.
local MAX_PARKED = 64

-- Numbers and parked orders of the users in a batch, read once.
--   wanted: list of {user, sale}, each once. Returns 'sale user' → {user, sale, next, parked = seq → text, count}.
local function read_turns(shard, wanted)
  local by_sale, turns = {}, {}
  for _, w in ipairs(wanted) do
    local list = by_sale[w[2]]
    if not list then list = {}; by_sale[w[2]] = list end
    list[#list + 1] = w[1]
  end
  local any_waits = redis.call('EXISTS', shard.prefix .. 'waiting') == 1
  for sale, users in pairs(by_sale) do
    local nexts = hmget(shard.prefix .. 'next:' .. sale, users)
    local names = {}
    for i, user in ipairs(users) do
      names[i] = sale .. ' ' .. user
      turns[names[i]] = { user = user, sale = sale, next = tonumber(nexts[i] or 1), parked = {}, count = 0 }
    end
    if any_waits then
      local counts = hmget(shard.prefix .. 'waiting', names)
      for i, count in ipairs(counts) do
        if count then
          local turn = turns[names[i]]
          local flat = redis.call('HGETALL', shard.prefix .. 'park:' .. sale .. ':' .. users[i])
          for j = 1, #flat, 2 do turn.parked[tonumber(flat[j])] = flat[j + 1] end
          turn.count, turn.waited = tonumber(count), true
        end
      end
    end
  end
  return turns
end

-- The rows parked in these turns, decoded: whoever loads stock needs their items too. Returns seq
-- texts decoded in place.
local function decode_parked(turns)
  local rows = {}
  for _, turn in pairs(turns) do
    for seq, text in pairs(turn.parked) do
      if text ~= 'skip' then
        local held = cjson.decode(text)
        local row = held[2]
        name_row(row)
        turn.parked[seq] = held
        rows[#rows + 1] = row
      end
    end
  end
  return rows
end

local function park(turn, seq, held)
  turn.parked[seq] = held
  turn.count = turn.count + 1
  turn.added = turn.added or {}
  turn.added[seq] = true
  turn.changed = true
end

-- Lets go what is parked from the turn's next number on, up to one that has to wait for a rate.
-- decide_one(held) judges a parked order.
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

-- The number is used up: the next one is due, and what waits for it goes.
local function pass(turn, decide_one)
  turn.next = turn.next + 1
  turn.changed = true
  turn.moved = true
  release(turn, decide_one)
end

-- What is added to a row while it is worked on (rows.lua) stays out of Redis and of the outbox.
local function bare(row)
  row[13], row[14] = row[16], nil
  if row[16] then row[16] = nil end
  return row
end

local function bare_copy(row)
  local copy = {}
  for i = 1, 12 do copy[i] = row[i] end
  copy[13] = row[16]
  return copy
end

local function held_text(held)
  return cjson.encode({ held[1], bare(held[2]) })
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

-- Writes the turns that changed. A gap that went on keeps its clock; a new one starts at `now`.
local function write_turns(shard, turns, now)
  local nexts = {}
  for name, turn in pairs(turns) do
    if turn.moved then
      local list = nexts[turn.sale]
      if not list then list = {}; nexts[turn.sale] = list end
      list[#list + 1] = turn.user
      list[#list + 1] = turn.next
    end
    if turn.changed and (turn.waited or turn.count > 0) then
      write_parked(shard, turn)
      if turn.count > 0 then
        redis.call('HSET', shard.prefix .. 'waiting', name, turn.count)
        redis.call('ZADD', shard.prefix .. 'gaps', turn.moved and 'XX' or 'NX', string.format('%.0f', now), name)
        if turn.moved and not turn.waited then redis.call('ZADD', shard.prefix .. 'gaps', 'NX', string.format('%.0f', now), name) end
      else
        redis.call('HDEL', shard.prefix .. 'waiting', name)
        redis.call('ZREM', shard.prefix .. 'gaps', name)
        redis.call('DEL', shard.prefix .. 'park:' .. turn.sale .. ':' .. turn.user)
      end
    end
  end
  for sale, flat in pairs(nexts) do call_in_chunks('HSET', shard.prefix .. 'next:' .. sale, flat) end
end
