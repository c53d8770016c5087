-- What wrk sends, and how it says what came of it.
-- Without arguments it asks for its URL. With a name, each request creates a user of that name and a number. With a
-- second argument, each has an Idempotency-Key.

function init(arguments)
  local name, is_keyed = arguments[1], arguments[2] ~= nil
  if name == nil then return end
  local number = 0
  wrk.headers["Content-Type"] = "application/json"
  request = function()
    number = number + 1
    local username = name .. number
    if is_keyed then wrk.headers["Idempotency-Key"] = username end
    local body = string.format('{"username":"%s","email":"%s@example.com"}', username, username)
    return wrk.format("POST", nil, nil, body)
  end
end

function done(summary, latency)
  local errors = 0
  for _, count in pairs(summary.errors) do errors = errors + count end
  local rate = summary.requests / summary.duration * 1e6
  local half, most = latency:percentile(50) / 1e3, latency:percentile(99) / 1e3
  io.write(string.format("RESULT %d %d %.3f %.3f %.3f\n", summary.requests, errors, rate, half, most))
end
