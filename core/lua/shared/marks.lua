-- Cancels that came before their order. Its decision finds the mark: the order is cancelled, no
-- stock is touched, its number is used up.
--
--   marks         string  there are marks somewhere in the shard
--   marks:<user>  zset    <id> by time; both stay as long as one of their orders may still be judged

local MAX_MARKS = 64

-- Whether the mark could be left: a user may have so many.
local function mark_cancelled(batch, row)
  local key = batch.shard.prefix .. 'marks:' .. row[2]
  if redis.call('ZSCORE', key, row[3]) then return true end
  local own = (batch.mark_counts[key] or 0)
  if batch.marked[row[13]] then return true end
  if redis.call('ZCARD', key) + own >= MAX_MARKS then return false end
  batch.mark_counts[key] = own + 1
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
  local score = string.format('%.0f', now)
  for _, mark in ipairs(batch.marks) do
    redis.call('ZADD', mark[1], score, mark[2])
    redis.call('SET', shard.prefix .. 'marks', 1, 'KEEPTTL')
    local ends = bucket_ends(string.sub(mark[2], 1, BUCKET_DIGITS), window)
    for _, key in ipairs({ mark[1], shard.prefix .. 'marks' }) do
      if redis.call('PTTL', key) < ends - now then redis.call('PEXPIREAT', key, string.format('%.0f', ends)) end
    end
  end
end
