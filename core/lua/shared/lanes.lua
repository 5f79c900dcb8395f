-- A user's charges run one at a time, in the order in which his orders were reserved: his lane.
--
--   lane:<user>  list  <id> …  orders of a user that are to be charged, the first being charged
--
-- A lane is read from its front, as far as somebody leaves it, and never as a whole; and it is
-- bounded. With 10,000 orders in it an exit took 13 ms of Redis.

-- Orders of one user with a charge under way or waiting. It bounds what leaving from the middle
-- costs (0.02 ms at most), and a user whose charges take a second each has a quarter of an hour of
-- them here. One more is over_limit. (core/domain/lane.ts)
local MAX_LANE = 1000
-- Ids read at once. Most lanes are shorter.
local LANE_LOOK = 8

-- A lane as this batch leaves it. stored: its length in Redis; length: what it is now; added: ids
-- behind the stored ones, false where one has left again. Made when somebody leaves: gone and left,
-- the stored ids that did; read, stored ids from the front; at, the place of the first one that may
-- still be there.
local function lane_of(batch, user)
  local lane = batch.lanes[user]
  if not lane then
    local key = batch.shard.prefix .. 'lane:' .. user
    local stored = redis.call('LLEN', key)
    lane = { key = key, stored = stored, length = stored, added = {} }
    batch.lanes[user] = lane
  end
  return lane
end

local function lane_is_full(batch, user)
  return lane_of(batch, user).length >= MAX_LANE
end

-- Returns whether the order has to wait for others.
local function enter_lane(batch, user, id)
  local lane = lane_of(batch, user)
  lane.length = lane.length + 1
  lane.added[#lane.added + 1] = id
  return lane.length > 1
end

local function lane_id(lane, at)
  if at > lane.stored then return lane.added[at - lane.stored] end
  local known = #lane.read
  if at > known then
    local more = redis.call('LRANGE', lane.key, known, known + LANE_LOOK - 1)
    for i = 1, #more do lane.read[known + i] = more[i] end
  end
  return lane.read[at]
end

-- The id at the front, or nil.
local function lane_front(lane)
  local last = lane.stored + #lane.added
  while lane.at <= last do
    local id = lane_id(lane, lane.at)
    if id and (lane.at > lane.stored or not lane.gone[id]) then return id end
    lane.at = lane.at + 1
  end
end

-- Takes out an id that this batch has put in. An id may be in there a second time: redriven, after
-- it had left.
local function take_back(lane, id)
  for i = #lane.added, 1, -1 do
    if lane.added[i] == id then
      lane.added[i] = false
      return true
    end
  end
  return false
end

-- Takes an id out of its user's lane. Returns the one that is now at the front, if that is news.
local function exit_lane(batch, user, id)
  local lane = lane_of(batch, user)
  if not lane.gone then lane.gone, lane.left, lane.read, lane.at = {}, {}, {}, 1 end
  local was_first = lane_front(lane) == id
  if not take_back(lane, id) then
    lane.gone[id] = true
    lane.left[#lane.left + 1] = id
  end
  lane.length = lane.length - 1
  return was_first and lane_front(lane) or nil
end

local function write_lanes(batch)
  for _, lane in pairs(batch.lanes) do
    local added = lane.added
    if lane.left then
      for _, id in ipairs(lane.left) do redis.call('LREM', lane.key, 1, id) end
      added = {}
      for _, id in ipairs(lane.added) do
        if id then added[#added + 1] = id end
      end
    end
    call_in_chunks('RPUSH', lane.key, added)
  end
end
