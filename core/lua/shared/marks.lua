-- Cancels that came before their order. Its decision finds the mark: the order is cancelled, no
-- stock is touched, its number is used up.
--
--   marks         string  there are marks somewhere in the shard
--   marks:<user>  zset    <id> by time; both stay for longer than their orders may be judged
--
-- A wrong clock makes Redis drop what ends before the time that it shows. The ledger notices that a
-- record of a decision was lost; nothing notices a lost mark. So marks end much later.

-- Marks that a user may have.
local MAX_MARKS = 64

-- The time of the first cancel whose order may still be judged. Ids are at most a minute ahead.
local function oldest_mark(batch)
  local kept_from = tonumber(batch.first_bucket, 16) * BUCKET_MS
  return string.format('%.0f', kept_from - 2 * EXPIRY_MARGIN_MS)
end

-- Leaves a mark for the order of row i. Returns false when the user has too many.
local function mark_cancelled(batch, orders, i)
  local field, id = orders.order[i], id_of(orders, i)
  local key = batch.shard.prefix .. 'marks:' .. user_of(orders, i)
  if redis.call('ZSCORE', key, id) or batch.marked[field] then return true end
  local own = batch.mark_counts[key] or 0
  if redis.call('ZCOUNT', key, oldest_mark(batch), '+inf') + own >= MAX_MARKS then return false end
  batch.mark_counts[key] = own + 1
  batch.marks[#batch.marks + 1] = { key = key, id = id }
  batch.marked[field], batch.any_marks = true, true
  return true
end

-- field: 'user id' of an order. Not asked while the batch has no marks at all (any_marks).
local function is_marked(batch, field)
  if batch.marked[field] then return true end
  local user, id = string.match(field, '^(%S+) (%S+)$')
  return redis.call('ZSCORE', batch.shard.prefix .. 'marks:' .. user, id) ~= false
end

local function write_marks(shard, batch, now, window)
  local score = string.format('%.0f', now)
  for _, mark in ipairs(batch.marks) do
    redis.call('ZREMRANGEBYSCORE', mark.key, '-inf', '(' .. oldest_mark(batch))
    redis.call('ZADD', mark.key, score, mark.id)
    redis.call('SET', shard.prefix .. 'marks', 1, 'KEEPTTL')
    local bucket = string.sub(mark.id, 1, BUCKET_DIGITS)
    local ends = bucket_ends(bucket, window) + MARK_MARGIN_MS
    for _, key in ipairs({ mark.key, shard.prefix .. 'marks' }) do
      if redis.call('PTTL', key) < ends - now then
        redis.call('PEXPIREAT', key, string.format('%.0f', ends))
      end
    end
  end
end
