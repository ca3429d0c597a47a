import { neon, neonConfig } from '@neondatabase/serverless'
import { Redis } from '@upstash/redis'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { createFaults, type FaultSettings, type Faults } from '../../local/faults.ts'
import { startRedis } from '../../local/redis/engine.ts'
import { startUpstashProxy } from '../../local/upstash/proxy.ts'
import { eventually, rejection, startDatabase } from './setup.ts'

const { postgres, proxy: neonProxy } = await startDatabase()
neonConfig.fetchEndpoint = neonProxy.url
const sql = neon(postgres.url)
const engine = await startRedis({ engine: 'embedded' })
const upstash = await startUpstashProxy({ redisPort: engine.port, token: 'secret' })
const redis = new Redis({ url: upstash.url, token: 'secret', retry: { retries: 0 } })

beforeAll(async () => {
  await sql`CREATE TABLE works (n int)`
})
afterAll(async () => {
  await upstash.stop()
  await engine.stop()
})

/** Each server with a piece of work, a look at how often it was done, and its work counter. */
const servers = [
  {
    name: 'Neon',
    server: neonProxy,
    origin: new URL(neonProxy.url).origin,
    work: () => sql`INSERT INTO works VALUES (1)`,
    done: async () => Number((await sql`SELECT count(*) AS n FROM works`)[0]?.['n']),
    counted: () => neonProxy.stats.snapshot().queries,
  },
  {
    name: 'Upstash',
    server: upstash,
    origin: upstash.url,
    work: () => redis.incr('works'),
    done: async () => (await redis.get<number>('works')) ?? 0,
    counted: () => upstash.stats.snapshot().commands,
  },
]

describe.each(servers)('faults of the $name server', ({ server, origin, work, done, counted }) => {
  const { faults, stats } = server
  afterEach(() => faults.clear())

  test('dropBefore: an error for the client, and nothing was done', async () => {
    const before = await done()
    faults.set({ dropBefore: { requests: 1 } })
    await rejection(work())
    expect(await done()).toBe(before)
    expect(faults.current()).toEqual({})
  })

  test('dropAfter: an error for the client, and it was done', async () => {
    const before = await done()
    faults.set({ dropAfter: { requests: 1 } })
    await rejection(work())
    expect(await done()).toBe(before + 1)
  })

  test('error: its status, for as many requests as asked, and nothing was done', async () => {
    const before = await done()
    faults.set({ error: { status: 503, requests: 2 } })
    expect(String(await rejection(work()))).toContain('injected fault')
    expect(faults.current()).toEqual({ error: { status: 503, requests: 1 } })
    expect(String(await rejection(work()))).toContain('injected fault')
    expect(await done()).toBe(before)
  })

  test('delay: at least its milliseconds for every request, until it is cleared', async () => {
    faults.set({ delay: { ms: 60 } })
    for (let request = 0; request < 2; request++) {
      const started = performance.now()
      await work()
      expect(performance.now() - started).toBeGreaterThanOrEqual(59)
    }
    faults.set({ delay: null })
    expect(faults.current()).toEqual({})
  })

  test('counters count what came in and what was sent on', async () => {
    stats.reset()
    await work()
    faults.set({ dropBefore: { requests: 1 } })
    await rejection(work())
    expect(stats.snapshot().requests).toBe(2)
    expect(counted()).toBe(1)
  })

  test('from another process: /__local/faults and /__local/stats', async () => {
    const call = async (method: string, path: string, body?: string) => {
      const response = await fetch(`${origin}/__local/${path}`, { method, ...(body === undefined ? {} : { body }) })
      const answer: unknown = await response.json()
      return { status: response.status, answer }
    }
    const settings: FaultSettings = { error: { status: 500, requests: 1 }, delay: { ms: 1 } }
    expect(await call('POST', 'faults', JSON.stringify(settings))).toEqual({ status: 200, answer: settings })
    expect(await call('GET', 'faults')).toEqual({ status: 200, answer: settings })
    await rejection(work())
    expect(await call('GET', 'faults')).toEqual({ status: 200, answer: { delay: { ms: 1 } } })
    expect(await call('DELETE', 'faults')).toEqual({ status: 200, answer: {} })
    expect(faults.current()).toEqual({})

    expect((await call('DELETE', 'stats')).answer).toMatchObject({ requests: 0 })
    await work()
    expect((await call('GET', 'stats')).answer).toEqual(stats.snapshot())
    expect(stats.snapshot().requests).toBe(1)

    expect((await call('POST', 'faults', '{"delay":{"ms":-1}}')).status).toBe(400)
    expect((await call('POST', 'faults', '{')).status).toBe(400)
    expect((await call('GET', 'more')).status).toBe(404)
    expect(faults.current()).toEqual({})
  })

  test('a client that goes away while it is delayed is worked for all the same', async () => {
    const before = await done()
    const controller = new AbortController()
    const [, path] = origin === upstash.url ? ['', '/incr/works?_token=secret'] : ['', '/sql']
    faults.set({ delay: { ms: 50, requests: 1 } })
    const request = rejection(
      fetch(`${origin}${path}`, {
        method: 'POST',
        signal: controller.signal,
        headers: { 'neon-connection-string': postgres.url },
        body: path === '/sql' ? '{"query":"INSERT INTO works VALUES (1)"}' : '',
      }),
    )
    await eventually(() => faults.current().delay === undefined)
    controller.abort()
    await request
    await eventually(async () => (await done()) === before + 1)
  })
})

describe('the switches themselves', () => {
  const take = (faults: Faults, times: number) => Array.from({ length: times }, () => faults.take())

  test('several faults count down side by side', () => {
    const faults = createFaults()
    faults.set({ delay: { ms: 5, requests: 2 }, dropAfter: { requests: 1 } })
    faults.set({ error: { status: 500 } })
    expect(take(faults, 3)).toEqual([
      { delayMs: 5, dropBefore: false, errorStatus: 500, dropAfter: true },
      { delayMs: 5, dropBefore: false, errorStatus: 500, dropAfter: false },
      { delayMs: 0, dropBefore: false, errorStatus: 500, dropAfter: false },
    ])
    faults.clear()
    expect(take(faults, 1)).toEqual([{ delayMs: 0, dropBefore: false, errorStatus: undefined, dropAfter: false }])
  })

  test('what it was given and what it gives are copies', () => {
    const faults = createFaults()
    const delay = { ms: 5, requests: 2 }
    faults.set({ delay })
    const seen = faults.current()
    faults.take()
    expect([delay.requests, seen.delay?.requests, faults.current().delay?.requests]).toEqual([2, 2, 1])
  })
})
