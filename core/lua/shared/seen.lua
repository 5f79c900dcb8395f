-- Records of decided orders, so that a second sending finds the first. They lie in one hash per
-- bucket of ids (the first digits of a UUIDv7 are its time) and a bucket expires as a whole, a
-- window after its last id could have been made.

local BUCKET_MS = 1048576 -- 2^20: what is left of 48 bits of milliseconds below seven hex digits
local EXPIRY_MARGIN_MS = 60000 -- a bucket must not be gone a moment before it counts as past

-- The first bucket that is still kept; ids in earlier ones are past.
local function first_bucket(now, window)
  return string.format('%07x', math.floor((now - window) / BUCKET_MS))
end

-- When a bucket's ids are past for sure.
local function bucket_ends(bucket, window)
  return (tonumber(bucket, 16) + 1) * BUCKET_MS + window + EXPIRY_MARGIN_MS
end

-- Reads the records of all rows at once: returns a table field → 'fingerprint state'. fields:
-- bucket → list of 'user id'.
local function read_seen(shard, fields)
  local seen = {}
  for bucket, list in pairs(fields) do
    local values = hmget(shard.prefix .. 'seen:' .. bucket, list)
    for i = 1, #list do
      if values[i] then seen[list[i]] = values[i] end
    end
  end
  return seen
end

-- Writes new records. fresh: bucket → flat list of field, value.
local function write_seen(shard, fresh, window)
  for bucket, pairs_of in pairs(fresh) do
    local key = shard.prefix .. 'seen:' .. bucket
    call_in_chunks('HSET', key, pairs_of)
    if redis.call('PTTL', key) == -1 then
      redis.call('PEXPIREAT', key, string.format('%.0f', bucket_ends(bucket, window)))
    end
  end
end
