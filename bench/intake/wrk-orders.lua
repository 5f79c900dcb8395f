-- Single orders over HTTP for wrk: a new order per request, by one of many users with their own
-- token. Requests are joined from prepared pieces: wrk.format alone costs as much as the gateway
-- spends on an order.
--
--   wrk -s wrk-orders.lua <url> -- <file of "user token" lines> <file of bodies without id>

local heads, tails, lengths = {}, {}, {}
local serial, run, prefix = 0, 0, ''
local ID_MEMBER = #'{"id":"",' + 36

local function lines_of(path)
  local list = {}
  for line in io.lines(path) do list[#list + 1] = line end
  return list
end

function init(args)
  for i, line in ipairs(lines_of(args[1])) do
    heads[i] = 'POST /v1/orders HTTP/1.1\r\nHost: ' .. wrk.host
      .. '\r\nContent-Type: application/json\r\nAuthorization: Bearer '
      .. string.match(line, ' (%S+)$') .. '\r\nContent-Length: '
  end
  for i, body in ipairs(lines_of(args[2])) do
    tails[i], lengths[i] = '",' .. body, tostring(ID_MEMBER + #body) .. '\r\n\r\n{"id":"'
  end
  math.randomseed(os.time())
  run = math.random(0, 65535)
end

function request()
  if serial % 1000 == 0 then
    local ms = os.time() * 1000
    prefix = string.format('%08x-%04x-7000-8000-%04x', math.floor(ms / 65536), ms % 65536, run)
  end
  serial = serial + 1
  local which = serial % #tails + 1
  return heads[math.random(#heads)] .. lengths[which]
    .. prefix .. string.format('%08x', serial) .. tails[which]
end

function done(summary, latency)
  io.write(string.format(
    '{"requests":%d,"seconds":%.3f,"p50":%.3f,"p99":%.3f,"not2xx":%d,"lost":%d}\n',
    summary.requests, summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, summary.errors.status,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
  ))
end
