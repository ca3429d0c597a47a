/**
 * Stores what was read of one namespace, or what a command left there. Whoever comes last, no older version replaces a
 * newer one. Nothing in it knows what a value says: see redis-values.ts for the form.
 *
 * KEYS[1]     ns:{namespace}
 * KEYS[2…]    snap:{namespace}:{account}:{resource}
 * ARGV[1]     read_at: when the Worker began to ask Postgres, in milliseconds since 1970
 * ARGV[2, 3]  the namespace's value, and its time to live in milliseconds
 * ARGV[4…]    for each further key its value, and its time to live in milliseconds
 *
 * Replies how many values of `snap:` were stored, replaced or joined.
 * Drops everything that is more than 5 s old: after an eviction, or a FLUSHALL, no version there says that it is late.
 * Of one key and equal versions, the scope with the later read_at stays; of more than 64 scopes the oldest go.
 */
export const STORE = `
local MAX_AGE_MS = 5000
local MAX_SCOPES = 64

local time = redis.call('TIME')
if time[1] * 1000 + math.floor(time[2] / 1000) - ARGV[1] > MAX_AGE_MS then return 0 end

-- A key of another type counts as absent: SET replaces it.
local function get(key)
  local value = redis.pcall('GET', key)
  return type(value) == 'string' and value or nil
end

local function header(value, name)
  if not value then return nil end
  local head, key, config, read_at, owner, body = string.match(value, '^(1 (%d+) (%d+) (%d+) ([^ \\n]+)\\n)(.*)$')
  if owner ~= name then return nil end
  return { head = head, body = body, key = tonumber(key), config = tonumber(config), read_at = tonumber(read_at) }
end

-- Adds the lines of a body to those known by name, the later of two that have one name.
local function read_lines(body, known)
  for name, read_at, rest in string.gmatch(body, '([^ \\n]*) (%d+) ([^\\n]*)\\n') do
    local line = { name = name, read_at = tonumber(read_at), text = name .. ' ' .. read_at .. ' ' .. rest .. '\\n' }
    if not known[name] or known[name].read_at <= line.read_at then known[name] = line end
  end
end

local function joined(present, candidate)
  local known = {}
  read_lines(present.body, known)
  read_lines(candidate.body, known)
  local holders = known['@'] and known['@'].text or ''
  known['@'] = nil
  local lines = {}
  for _, line in pairs(known) do lines[#lines + 1] = line end
  table.sort(lines, function(a, b)
    if a.read_at ~= b.read_at then return a.read_at > b.read_at end
    return a.name < b.name
  end)
  local texts = {}
  for index = 1, math.min(#lines, MAX_SCOPES) do texts[index] = lines[index].text end
  local head = candidate.read_at >= present.read_at and candidate.head or present.head
  return head .. table.concat(texts) .. holders
end

local function config_of(value)
  return value and tonumber(string.match(value, '^1 (%d+) %-?%d+ [^ ]+$'))
end

local present_config = config_of(get(KEYS[1]))
if not present_config or config_of(ARGV[2]) >= present_config then
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
end

local stored = 0
for index = 2, #KEYS do
  local name, value, ttl = KEYS[index], ARGV[2 * index], tonumber(ARGV[2 * index + 1])
  local candidate, present = header(value, name), header(get(name), name)
  local newer = not present or candidate.key > present.key
    or (candidate.key == present.key and candidate.config > present.config)
  local same = present and candidate.key == present.key and candidate.config == present.config
  if newer then
    redis.call('SET', name, value, 'PX', ttl)
    stored = stored + 1
  elseif same then
    ttl = math.max(ttl, redis.call('PTTL', name))
    redis.call('SET', name, joined(present, candidate), 'PX', ttl)
    stored = stored + 1
  end
end
return stored
`
