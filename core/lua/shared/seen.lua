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

-- The new records of a bucket: a flat list of field, value; n: its length.
local function fresh_records(batch, bucket)
  local list = batch.fresh[bucket]
  if not list then list = { n = 0 }; batch.fresh[bucket] = list end
  return list
end

-- Keeps a record for every later sending of an order. field: 'user id', value: 'fingerprint state'.
local function remember(batch, field, bucket, value)
  batch.seen[field] = value
  local list = fresh_records(batch, bucket)
  local n = list.n
  list[n + 1], list[n + 2] = field, value
  list.n = n + 2
end

-- Has a bucket expire. Only the key itself tells when it does: it may be a new one of the same
-- name, or have its end from a shorter window. A key without an end answers -1.
local function date_bucket(bucket, key, window)
  local ends = bucket_ends(bucket, window)
  if redis.call('PEXPIRETIME', key) < ends then
    redis.call('PEXPIREAT', key, string.format('%.0f', ends))
  end
end

-- Writes the new records of a batch.
local function write_seen(batch, window)
  for bucket, list in pairs(batch.fresh) do
    if list.n > 0 then
      local key = batch.shard.prefix .. 'seen:' .. bucket
      call_in_chunks('HSET', key, list)
      date_bucket(bucket, key, window)
    end
  end
end
