import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { Redis } from '@upstash/redis'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type RunningRedis, startRedis } from '../../local/redis/engine.ts'
import { findServer } from '../../local/redis/server.ts'
import { startUpstashProxy, type UpstashProxy } from '../../local/upstash/proxy.ts'
import { rejection } from './setup.ts'

const server = await findServer()
const engines = [
  { engine: 'embedded', name: 'js-redis-server' },
  { engine: 'server', name: server?.name ?? '(skipped: neither redis-server nor valkey-server on the PATH)' },
] as const

describe.each(engines)('Upstash on $engine $name', ({ engine }) => {
  if (engine === 'server' && server === undefined) return test.skip('no binary', () => {})

  let running: RunningRedis
  let proxy: UpstashProxy
  let redis: Redis

  beforeAll(async () => {
    running = await startRedis({ engine })
    proxy = await startUpstashProxy({ redisPort: running.port, token: 'secret', timeoutMs: 5_000 })
    redis = new Redis({ url: proxy.url, token: 'secret', retry: { retries: 0 } })
  })
  afterAll(async () => {
    await proxy.stop()
    await running.stop()
  })
  beforeEach(async () => {
    await redis.flushall()
    proxy.stats.reset()
  })

  const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
    fetch(`${proxy.url}${path}`, {
      method: 'POST',
      headers: { authorization: 'Bearer secret', ...headers },
      body: typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body),
    })
  const base64 = { 'upstash-encoding': 'base64' }

  test('values of every kind', async () => {
    const document = { a: [1, 'ü', null], deep: { x: true } }
    expect(await redis.set('doc', document)).toBe('OK')
    expect(await redis.get('doc')).toEqual(document)
    expect(await redis.get('missing')).toBe(null)
    expect(await redis.incr('n')).toBe(1)
    expect(await redis.ping()).toBe('PONG')
    expect(await redis.set('ok', 'OK')).toBe('OK')
    expect(await redis.get('ok')).toBe('OK')
    expect(await redis.set('', '')).toBe('OK')
    expect(await redis.mget('doc', 'missing', 'n')).toEqual([document, null, 1])
    expect(await redis.set('doc', 'no', { nx: true })).toBe(null)
    expect(await redis.type('doc')).toBe('string')
  })

  test('hashes, lists, sets, sorted sets, scans', async () => {
    await redis.hset('h', { name: 'ü', n: 1 })
    expect(await redis.hgetall('h')).toEqual({ name: 'ü', n: 1 })
    expect(await redis.hgetall('missing')).toBe(null)
    await redis.rpush<unknown>('l', 'a', { b: 1 })
    expect(await redis.lrange('l', 0, -1)).toEqual(['a', { b: 1 }])
    await redis.sadd('s', 'x')
    expect(await redis.smembers('s')).toEqual(['x'])
    await redis.zadd('z', { score: 1.5, member: 'm' })
    expect(await redis.zrange('z', 0, -1, { withScores: true })).toEqual(['m', 1.5])
    const [cursor, keys] = await redis.scan(0, { count: 100 })
    expect([cursor, [...keys].sort()]).toEqual(['0', ['h', 'l', 's', 'z']])
  })

  test('commands of one tick are one request', async () => {
    const answers = await Promise.all([redis.set('a', 1), redis.incr('a'), redis.incr('a')])
    expect(answers).toEqual(['OK', 2, 3])
    expect(proxy.stats.snapshot()).toEqual({ requests: 1, commands: 3 })
  })

  test('a pipeline answers each command, also the wrong ones', async () => {
    await redis.set('text', 'x')
    const answers = await redis.pipeline().incr('text').set('a', 1).get('a').exec({ keepErrors: true })
    expect(answers[0]?.error).toMatch(/^ERR value is not an integer/)
    expect(answers.slice(1)).toMatchObject([{ result: 'OK' }, { result: 1 }])
  })

  test('nothing comes between the commands of a transaction', async () => {
    // More than Redis reads of one connection before it turns to the next.
    const bulk = 'x'.repeat(500)
    const transactions = Array.from({ length: 12 }, async (_, id) => {
      const transaction = redis.multi().set('owner', id)
      for (let n = 0; n < 200; n++) transaction.set(`bulk:${n}`, bulk)
      return (await transaction.get('owner').exec()).at(-1)
    })
    expect(await Promise.all(transactions)).toEqual(Array.from({ length: 12 }, (_, id) => id))
  })

  test('a transaction goes on after an error at run time, and is discarded after one at queue time', async () => {
    await redis.set('text', 'x')
    const run = await post('/multi-exec', [
      ['INCR', 'text'],
      ['SET', 'a', '1'],
    ])
    expect(run.status).toBe(200)
    expect(await run.json()).toEqual([
      { error: expect.stringMatching(/^ERR value is not an integer/) },
      { result: 'OK' },
    ])

    const queue = await post('/multi-exec', [['SET', 'b', '1'], ['GET']])
    expect(queue.status).toBe(400)
    expect(await queue.json()).toEqual({ error: expect.stringMatching(/^EXECABORT/) })
    expect(await redis.mget('a', 'b')).toEqual([1, null])
  })

  test('scripts: EVAL, EVALSHA with its NOSCRIPT, nested answers, errors', async () => {
    const nested = await redis.eval('return {1, "two", {KEYS[1], ARGV[1], false, {3}}}', ['k'], ['ü'])
    expect(nested).toEqual([1, 'two', ['k', 'ü', null, [3]]])
    const script = redis.createScript<number>(`return redis.call("INCRBY", KEYS[1], ARGV[1])`)
    expect(String(await rejection(script.evalsha(['n'], ['2'])))).toContain('NOSCRIPT')
    expect(await script.exec(['n'], ['2'])).toBe(2)
    expect(await script.evalsha(['n'], ['3'])).toBe(5)
    expect(String(await rejection(redis.eval('return redis.error_reply("MINE no")', [], [])))).toContain('MINE no')
    expect(await redis.eval('return cjson.encode({a = cjson.decode(ARGV[1]).b})', [], ['{"b":"x"}'])).toEqual({
      a: 'x',
    })
  })

  test('base64: every string but a top-level OK; without it: none', async () => {
    const encode = (text: string) => Buffer.from(text).toString('base64')
    const commands = [
      ['SET', 'k', 'vü'],
      ['GET', 'k'],
      ['PING'],
      ['EVAL', 'return {1,"x",{"OK"},redis.status_reply("OK")}', '0'],
      ['NONSENSE'],
    ]
    const error = { error: expect.stringContaining('unknown command') }
    expect(await (await post('/pipeline', commands, base64)).json()).toEqual([
      { result: 'OK' },
      { result: encode('vü') },
      { result: encode('PONG') },
      { result: [1, encode('x'), [encode('OK')], encode('OK')] },
      error,
    ])
    expect(await (await post('/pipeline', commands)).json()).toEqual([
      { result: 'OK' },
      { result: 'vü' },
      { result: 'PONG' },
      { result: [1, 'x', ['OK'], 'OK'] },
      error,
    ])
  })

  test('bytes go in and out unchanged', async () => {
    const bytes = randomBytes(100_000)
    expect(await (await post('/set/bin', bytes)).json()).toEqual({ result: 'OK' })
    const answer = await (await post('/', ['GET', 'bin'], base64)).json()
    expect(answer).toEqual({ result: bytes.toString('base64') })
  })

  test('integers keep all their digits', async () => {
    const response = await post('/', ['INCRBY', 'big', '9223372036854775807'])
    expect(await response.text()).toBe('{"result":9223372036854775807}')
  })

  test('values of several MiB, the limit, and long pipelines', async () => {
    const large = 'ü"\n'.repeat(600_000)
    await redis.set('large', large)
    expect(await redis.get('large')).toBe(large)
    const refused = await post('/', ['SET', 'k', 'x'.repeat(10 * 1024 * 1024)])
    expect(refused.status).toBe(413)
    expect(await refused.json()).toEqual({ error: 'request is too large (max is 10485760 bytes)' })
    const pipeline = redis.pipeline()
    for (let n = 0; n < 5_000; n++) pipeline.rpush('list', n)
    expect((await pipeline.exec()).at(-1)).toBe(5_000)
    expect(await redis.lrange('list', 0, -1)).toEqual(Array.from({ length: 5_000 }, (_, n) => n))
  })

  test('50 requests at once', async () => {
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, n) => redis.exec(['EVAL', 'return ARGV[1]', '0', String(n)])),
    )
    expect(answers).toEqual(Array.from({ length: 50 }, (_, n) => n))
    expect(proxy.stats.snapshot()).toEqual({ requests: 50, commands: 50 })
  })

  test('commands in the path', async () => {
    const get = async (path: string) => {
      const response = await fetch(`${proxy.url}${path}`, { headers: { authorization: 'Bearer secret' } })
      return { status: response.status, body: await response.json() }
    }
    expect(await get('/set/foo/b%2Fr%20x/EX/100')).toEqual({ status: 200, body: { result: 'OK' } })
    expect(await get('/get/foo')).toEqual({ status: 200, body: { result: 'b/r x' } })
    expect(await (await post('/set/foo?EX=50', '{"a":"raw"}')).json()).toEqual({ result: 'OK' })
    expect(await get('/get/foo')).toEqual({ status: 200, body: { result: '{"a":"raw"}' } })
    expect((await get('/ttl/foo')).body).toEqual({ result: 50 })
    expect(await get('/get')).toEqual({
      status: 400,
      body: { error: expect.stringMatching(/^ERR wrong number of arguments for 'get' command/) },
    })
    expect(await get('/get/%ff')).toMatchObject({ status: 400 })
  })

  test('authorization: a header or _token, else 401', async () => {
    expect((await fetch(`${proxy.url}/ping?_token=secret`)).status).toBe(200)
    for (const authorization of ['Bearer wrong', 'secret', '']) {
      const response = await post('/', ['PING'], { authorization })
      expect(response.status).toBe(401)
      expect(await response.json()).toEqual({ error: 'Unauthorized' })
    }
    const stranger = new Redis({ url: proxy.url, token: 'wrong', retry: { retries: 0 } })
    expect(String(await rejection(stranger.get('a')))).toContain('Unauthorized')
    expect(proxy.stats.snapshot().commands).toBe(1)
  })

  test.each([
    ['/', '{'],
    ['/', '[]'],
    ['/', '{"a":1}'],
    ['/', '["SET","a",{"b":1}]'],
    ['/', '["SET","a",null]'],
    ['/pipeline', '[]'],
    ['/pipeline', '["GET","a"]'],
    ['/multi-exec', '{}'],
  ])('%s with %s is 400', async (path, body) => {
    const response = await post(path, body)
    expect(response.status).toBe(400)
    expect(await response.json()).toEqual({ error: expect.stringMatching(/^ERR /) })
  })

  test('commands that would take over the shared connections are not available', async () => {
    const error = { error: expect.stringContaining('ERR Command is not available') }
    for (const command of [
      ['SUBSCRIBE', 'c'],
      ['blpop', 'l', 0],
      ['MULTI'],
      ['XREAD', 'block', 0, 'STREAMS', 's', '$'],
    ]) {
      const response = await post('/', command)
      expect(response.status).toBe(400)
      expect(await response.json()).toEqual(error)
    }
    const mixed = await post('/pipeline', [['SET', 'a', 1], ['MONITOR'], ['GET', 'a']])
    expect(await mixed.json()).toEqual([{ result: 'OK' }, error, { result: '1' }])
    expect((await post('/multi-exec', [['SET', 'a', 2], ['EXEC']])).status).toBe(400)
    expect(await redis.get('a')).toBe(1)
  })

  test('another method is 405', async () => {
    const headers = { authorization: 'Bearer secret' }
    expect((await fetch(`${proxy.url}/get/a`, { method: 'DELETE', headers })).status).toBe(405)
  })

  test('Redis down is 503, and it is found again when it is back', async () => {
    await running.stop()
    const response = await post('/', ['PING'])
    expect(response.status).toBe(503)
    expect(await response.json()).toEqual({ error: expect.stringContaining('Redis is unreachable') })
    expect(String(await rejection(redis.get('a')))).toContain('Redis is unreachable')
    running = await startRedis({ engine, port: running.port })
    const pings = Array.from({ length: 6 }, () => redis.exec(['PING']))
    expect(await Promise.all(pings)).toEqual(Array.from({ length: 6 }, () => 'PONG'))
  })
})

test('a Redis that does not answer is 503 in time', async () => {
  const frozen = createServer().listen(0, '127.0.0.1')
  await once(frozen, 'listening')
  const address = frozen.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const proxy = await startUpstashProxy({ redisPort: address.port, token: 'secret', timeoutMs: 200 })
  const started = performance.now()
  const response = await fetch(`${proxy.url}/ping?_token=secret`)
  expect(response.status).toBe(503)
  expect(await response.json()).toEqual({ error: 'Redis is unreachable: no answer within 200 ms' })
  expect(performance.now() - started).toBeLessThan(1_500)
  await proxy.stop()
  frozen.close()
})
