-- Cancels that came before their order. Its decision finds the mark: the order is cancelled, no stock is touched, its number is used up.
--
--   marks         string  there are marks somewhere in the shard
--   marks:<user>  zset    <id> by time; both lapse a window after the last mark

local MAX_MARKS = 64

-- Whether the mark could be left: a user may have so many.
local function mark_cancelled(batch, row)
  local key = batch.shard.prefix .. 'marks:' .. row[2]
  if redis.call('ZSCORE', key, row[3]) then return true end
  if redis.call('ZCARD', key) >= MAX_MARKS then return false end
  batch.marks[#batch.marks + 1] = { key, row[3] }
  batch.marked[row[13]] = true
  return true
end

local function is_marked(batch, row)
  if batch.marked[row[13]] ~= nil then return batch.marked[row[13]] end
  if not batch.any_marks then return false end
  return redis.call('ZSCORE', batch.shard.prefix .. 'marks:' .. row[2], row[3]) ~= false
end

local function write_marks(shard, batch, now, window)
  local score, ttl = string.format('%.0f', now), string.format('%.0f', window)
  for _, mark in ipairs(batch.marks) do
    redis.call('ZADD', mark[1], score, mark[2])
    redis.call('PEXPIRE', mark[1], ttl)
    redis.call('SET', shard.prefix .. 'marks', 1, 'PX', ttl)
  end
end
