-- For wrk: a different token in every request, of those in a file; Basic, or a bearer token to be asked about.
local tokens, at, kind, secret = {}, 0, nil, nil

function init(args)
  kind, secret = args[1], args[3]
  for line in io.lines(args[2]) do tokens[#tokens + 1] = line end
  at = math.random(#tokens)
end

function request()
  at = at % #tokens + 1
  if kind == "forward" then
    return wrk.format("GET", "/auth/bench/inbox?unread=1", {["Authorization"] = "Bearer " .. tokens[at]})
  end
  local headers = {["Content-Type"] = "application/x-www-form-urlencoded", ["Authorization"] = "Basic " .. secret}
  return wrk.format("POST", "/introspect", headers, "token=" .. tokens[at])
end

function done(summary, latency, requests)
  io.write(string.format(
    '\nRESULT {"requests":%d,"microseconds":%d,"errors":%d,"p50_us":%d,"p90_us":%d,"p99_us":%d,"p999_us":%d,"max_us":%d}\n',
    summary.requests, summary.duration,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.status + summary.errors.timeout,
    latency:percentile(50), latency:percentile(90), latency:percentile(99), latency:percentile(99.9), latency.max))
end
