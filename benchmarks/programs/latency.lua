-- For wrk: how long answers took, as a line that a program reads.
function done(summary, latency, requests)
  io.write(string.format(
    '\nRESULT {"requests":%d,"microseconds":%d,"errors":%d,"p50_us":%d,"p99_us":%d,"max_us":%d}\n',
    summary.requests, summary.duration,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.status + summary.errors.timeout,
    latency:percentile(50), latency:percentile(99), latency.max))
end
