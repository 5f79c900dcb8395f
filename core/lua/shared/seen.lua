-- Records of decided orders, so that a second sending finds the first. One hash per bucket of ids
-- has them (the first digits of a UUIDv7 are its time), and a bucket expires as a whole, a window
-- after its last id could have been made.
--
--   seen:<bucket>  hash  <user> <id> → <fingerprint> <state>

-- The first bucket that is still kept; ids in earlier ones are past.
local function first_bucket(now, window)
  return string.format('%07x', math.floor((now - window) / BUCKET_MS))
end

-- When a bucket's ids are past for sure.
local function bucket_ends(bucket, window)
  return (tonumber(bucket, 16) + 1) * BUCKET_MS + window + EXPIRY_MARGIN_MS
end

-- Adds the records of some orders to seen: 'user id' → 'fingerprint state'. fields: list of 'user
-- id' of one bucket.
local function read_seen(seen, shard, bucket, fields)
  local values = hmget(shard.prefix .. 'seen:' .. bucket, fields)
  for i = 1, #fields do
    if values[i] then seen[fields[i]] = values[i] end
  end
end

-- Keeps a record for every later sending of an order. field: 'user id', value: 'fingerprint state'.
local function remember(batch, field, bucket, value)
  batch.seen[field] = value
  local list = batch.fresh[bucket]
  if not list then list = { n = 0 }; batch.fresh[bucket] = list end
  local n = list.n
  list[n + 1], list[n + 2] = field, value
  list.n = n + 2
end

-- Writes new records. fresh: bucket → flat list of field, value.
local function write_seen(shard, fresh, window)
  for bucket, list in pairs(fresh) do
    local key = shard.prefix .. 'seen:' .. bucket
    call_in_chunks('HSET', key, list)
    if redis.call('PTTL', key) == -1 then
      redis.call('PEXPIREAT', key, string.format('%.0f', bucket_ends(bucket, window)))
    end
  end
end
