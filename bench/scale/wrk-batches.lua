-- Batches of orders over HTTP for wrk, each by one of many users with their own token.
--
--   wrk -s wrk-batches.lua <url> -- <file of tokens> <file of bodies without id> <orders a batch>

local heads, tails = {}, {}
local serial, run, size = 0, 0, 1
local parts = {}

local function lines_of(path)
  local list = {}
  for line in io.lines(path) do list[#list + 1] = line end
  return list
end

function init(args)
  for i, token in ipairs(lines_of(args[1])) do
    heads[i] = 'POST /v1/orders/batch HTTP/1.1\r\nHost: ' .. wrk.host
      .. '\r\nContent-Type: application/json\r\nAuthorization: Bearer '
      .. token .. '\r\nContent-Length: '
  end
  for i, body in ipairs(lines_of(args[2])) do tails[i] = '",' .. body end
  size = tonumber(args[3])
  math.randomseed(os.time())
  run = math.random(0, 65535)
end

function request()
  local ms = os.time() * 1000
  local prefix = string.format('{"id":"%08x-%04x-7000-8000-%04x',
    math.floor(ms / 65536), ms % 65536, run)
  for i = 1, size do
    serial = serial + 1
    parts[i] = prefix .. string.format('%08x', serial) .. tails[serial % #tails + 1]
  end
  local body = '{"orders":[' .. table.concat(parts, ',', 1, size) .. ']}'
  return heads[math.random(#heads)] .. #body .. '\r\n\r\n' .. body
end

function done(summary, latency)
  io.write(string.format('{"requests":%d,"seconds":%.3f,"p99":%.3f,"failed":%d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(99) / 1e3,
    summary.errors.status + summary.errors.connect + summary.errors.read
      + summary.errors.write + summary.errors.timeout))
end
