import { describe, expect, test } from 'vitest'
import {
  breakPostgres,
  breakRedis,
  countRequests,
  type Faults,
  mend,
  mintAccount,
  mintNamespace,
  mintToken,
  redis,
} from '../support/edge.ts'
import { bodyOf, errorOf, grant, key, rule } from '../support/edge-commands.ts'
import { createClock, type Isolate, startIsolate } from '../support/edge-isolate.ts'
import { holdLocks } from '../support/edge-locks.ts'
import type { JsonObject } from '../support/json-path.ts'

const RESOURCE = 'benchmark_runs'
const REDIS_BUDGET_MS = 300
const POSTGRES_BUDGET_MS = 5000
/** What a busy machine adds. */
const SLACK_MS = 700

const DOWN: [string, Faults][] = [
  ['cuts connections', { dropBefore: {} }],
  ['answers 500', { error: { status: 500 } }],
  ['answers 503', { error: { status: 503 } }],
  ['loses its answers', { dropAfter: {} }],
]
const SLOW: Faults = { delay: { ms: 20_000 } }

async function funded() {
  const namespace = await mintNamespace()
  const account = mintAccount()
  await grant(namespace, account, { quantity: 10 })
  return { namespace, account, bearer: namespace.key }
}

type Funded = Awaited<ReturnType<typeof funded>>

async function check(isolate: Isolate, { account, bearer }: Funded, fields: JsonObject = {}): Promise<JsonObject> {
  const body = { account_id: account, resource: RESOURCE, ...fields }
  return bodyOf(200, isolate.call('POST', '/v1/check', body, bearer))
}

/** Filled, and with nothing left to do. */
async function filled(isolate: Isolate, world: Funded, fields: JsonObject = {}): Promise<void> {
  await check(isolate, world, fields)
  await isolate.settled()
}

function consume(isolate: Isolate, { account, bearer }: Funded) {
  const body = { ...key(), account_id: account, resource: RESOURCE, quantity: 1 }
  return isolate.call('POST', '/v1/consume', body, bearer)
}

async function elapsed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await work()
  return performance.now() - start
}

describe('Redis', () => {
  test.each([...DOWN, ['is slow', SLOW] as [string, Faults]])(
    '%s: Postgres answers, within the budget',
    async (_, faults) => {
      const world = await funded()
      await filled(startIsolate(), world)
      await breakRedis(faults)
      const isolate = startIsolate()
      const waited = await elapsed(async () => {
        expect(await check(isolate, world)).toMatchObject({ source: 'postgres', degraded: false, limit: 10 })
      })
      expect(waited).toBeLessThan(REDIS_BUDGET_MS + SLACK_MS)
    },
  )

  test('after a failure it is left alone for a few seconds, then asked again', async () => {
    const world = await funded()
    const clock = createClock()
    const isolate = startIsolate({ clock })
    await breakRedis({ dropBefore: {} })
    await filled(isolate, world)
    await mend()
    clock.advance(2900)
    expect((await countRequests(() => filled(isolate, world, { max_staleness_ms: 0 }))).upstash).toBe(0)
    expect((await countRequests(() => filled(isolate, world))).upstash).toBe(0)
    clock.advance(1100)
    expect((await countRequests(() => filled(isolate, world))).upstash).toBeGreaterThan(0)
  })

  test('flushed: a miss, and filled again', async () => {
    const world = await funded()
    await filled(startIsolate(), world)
    await redis('FLUSHALL')
    const isolate = startIsolate()
    expect(await check(isolate, world)).toMatchObject({ source: 'postgres' })
    await isolate.settled()
    expect(await check(startIsolate(), world)).toMatchObject({ source: 'redis' })
  })

  test.each([...DOWN, ['is slow', SLOW] as [string, Faults]])(
    '%s: commands do not notice; a change of the control plane says that it may be late',
    async (_, faults) => {
      const world = await funded()
      await breakRedis(faults)
      const isolate = startIsolate({ background: false })
      expect(await elapsed(() => bodyOf(201, consume(isolate, world)))).toBeLessThan(SLACK_MS)
      const granted = { account_id: world.account, resource: RESOURCE, limit_kind: 'cumulative', quantity: 5 }
      const waited = await elapsed(async () => {
        const reply = await isolate.call('POST', '/v1/entitlements', granted, world.bearer)
        expect([reply.status, reply.headers.get('MEC-Propagation')]).toEqual([201, 'delayed'])
      })
      expect(waited).toBeLessThan(1000 + SLACK_MS)
      // Not in this isolate: its memory was told before the answer.
      expect(await check(isolate, world)).toMatchObject({ limit: 15, used: 1 })
    },
  )

  test('lost a write: an isolate that knows of it does not take the older value', async () => {
    const world = await funded()
    const clock = createClock()
    const isolate = startIsolate({ clock })
    await filled(isolate, world)
    await breakRedis({ dropBefore: {} })
    await bodyOf(201, consume(isolate, world))
    await isolate.settled()
    await mend()
    clock.advance(3001)
    expect(await check(isolate, world)).toMatchObject({ source: 'postgres', used: 1 })
  })

  test('lost a write: another isolate is as late as it asked to be, and no later', async () => {
    const world = await funded()
    const clock = createClock()
    await filled(startIsolate({ clock }), world)
    await bodyOf(201, consume(startIsolate({ background: false, clock }), world))
    clock.advance(1500)
    expect(await check(startIsolate({ clock }), world, { max_staleness_ms: 1500 })).toMatchObject({ used: 0 })
    clock.advance(1)
    expect(await check(startIsolate({ clock }), world, { max_staleness_ms: 1500 })).toMatchObject({ used: 1 })
  })
})

describe('Postgres', () => {
  test.each([...DOWN, ['is slow', SLOW] as [string, Faults]])(
    '%s: the last state answers a check, marked so; a write is 503, within the budget',
    async (_, faults) => {
      const world = await funded()
      const clock = createClock()
      const isolate = startIsolate({ clock, postgresBudgetMs: 500 })
      await filled(isolate, world)
      await breakPostgres(faults)
      clock.advance(599_000)
      const waited = await elapsed(async () => {
        expect(await check(isolate, world)).toMatchObject({
          allowed: true,
          limit: 10,
          degraded: true,
          source: 'memory',
        })
      })
      expect(waited).toBeLessThan(500 + 2 * REDIS_BUDGET_MS + SLACK_MS)
      expect(await check(startIsolate({ clock, postgresBudgetMs: 500 }), world)).toMatchObject({ degraded: true })
      const reply = consume(isolate, world)
      expect(await errorOf(reply)).toMatchObject({ status: 503, code: 'unavailable' })
      expect((await reply).headers.get('Retry-After')).toMatch(/^\d+$/)
    },
  )

  test('the budget of the service is 5 s', async () => {
    const world = await funded()
    await breakPostgres(SLOW)
    const waited = await elapsed(async () => {
      expect(await errorOf(consume(startIsolate(), world))).toMatchObject({ status: 503 })
    })
    expect(waited).toBeGreaterThan(POSTGRES_BUDGET_MS - 100)
    expect(waited).toBeLessThan(POSTGRES_BUDGET_MS + SLACK_MS)
  }, 15_000)

  test('a denial is answered from the last state too: it does not become an allow', async () => {
    const world = await funded()
    const clock = createClock()
    const isolate = startIsolate({ clock })
    await filled(isolate, world)
    await breakPostgres({ dropBefore: {} })
    clock.advance(30_000)
    const asked = { quantity: 11, on_error: 'allow' }
    expect(await check(isolate, world, asked)).toMatchObject({ reason: 'limit_exceeded', degraded: true })
  })

  test('state that is fresh enough is not degraded', async () => {
    const world = await funded()
    const isolate = startIsolate()
    await filled(isolate, world)
    await breakPostgres({ dropBefore: {} })
    expect(await check(isolate, world)).toMatchObject({ degraded: false, source: 'memory' })
    expect(await check(startIsolate(), world)).toMatchObject({ degraded: false, source: 'redis' })
    expect(await check(isolate, world, { max_staleness_ms: 0 })).toMatchObject({ degraded: true })
  })

  test.each([
    ['the request\u2019s on_error', { on_error: 'allow' }, 'deny', 'unavailable_allowed'],
    ['the request\u2019s on_error, before the rule\u2019s', { on_error: 'deny' }, 'allow', 'unavailable_denied'],
    ['the last rule seen', {}, 'allow', 'unavailable_allowed'],
    ['the last rule seen, if it denies', {}, 'deny', 'unavailable_denied'],
  ])('after ten minutes %s decides, for a token', async (_, fields, on_error, reason) => {
    const world = await funded()
    await rule(world.namespace, world.account, { action: 'block', on_error })
    const clock = createClock()
    const isolate = startIsolate({ clock })
    const asking = { ...world, bearer: await mintToken(world.namespace.name, 'check') }
    await filled(isolate, asking)
    await breakPostgres({ dropBefore: {} })
    clock.advance(600_001)
    expect(await check(isolate, asking, fields)).toMatchObject({ reason, source: 'none', degraded: true })
    // A key that nobody can authenticate is nobody.
    const body = { account_id: world.account, resource: RESOURCE, ...fields }
    await mend()
    await filled(isolate, world)
    await breakPostgres({ dropBefore: {} })
    clock.advance(600_001)
    expect(await errorOf(isolate.call('POST', '/v1/check', body, world.bearer))).toMatchObject({ status: 503 })
  })

  test.each([
    ['lease', 'cumulative', 'unavailable_denied'],
    ['lease', 'concurrency', 'unavailable_allowed'],
    ['consume', 'cumulative', 'unavailable_allowed'],
    ['consume', 'concurrency', 'unavailable_denied'],
    ['any', 'cumulative', 'unavailable_denied'],
  ])('for %s, with a rule of %s that allows: %s, by the kinds that are asked', async (purpose, limit_kind, reason) => {
    const world = await funded()
    await grant(world.namespace, world.account, { limit_kind: 'concurrency', quantity: 2 })
    await rule(world.namespace, world.account, { limit_kind, action: 'block', on_error: 'allow' })
    const clock = createClock()
    const asking = { ...world, bearer: await mintToken(world.namespace.name, 'check') }
    const isolate = startIsolate({ clock })
    await filled(isolate, asking)
    await breakPostgres({ dropBefore: {} })
    clock.advance(600_001)
    for (const one of [isolate, startIsolate({ clock })]) {
      expect(await check(one, asking, { for: purpose })).toMatchObject({ reason, source: 'none' })
    }
  })

  test('as_of is the time of the namespace, or that which was asked for, also when nobody could tell', async () => {
    const world = await funded()
    const month = 30 * 86_400_000
    await bodyOf(200, world.namespace.call('POST', '/v1/test_clock', { advance_seconds: month / 1000 }))
    const asking = { ...world, account: mintAccount(), bearer: await mintToken(world.namespace.name, 'check') }
    await breakPostgres({ dropBefore: {} })
    // Of this one nobody knows anything; of its namespace Redis does.
    const isolate = startIsolate()
    const { source, as_of } = await check(isolate, asking)
    expect(source).toBe('none')
    expect(Math.abs(Date.parse(String(as_of)) - Date.now() - month)).toBeLessThan(10_000)
    expect(await check(isolate, asking, { at: '2020-01-01T02:00:00.5+02:00' })).toMatchObject({
      source: 'none',
      as_of: '2020-01-01T00:00:00.500Z',
    })
  })

  test('what time has changed is not answered from before it did', async () => {
    const world = await funded()
    const ends = new Date(Date.now() + 60_000).toISOString()
    await grant(world.namespace, world.account, { resource: 'gpu_hours', quantity: 10, effective_end: ends })
    const clock = createClock()
    const isolate = startIsolate({ clock })
    await filled(isolate, world, { resource: 'gpu_hours' })
    await breakPostgres({ dropBefore: {} })
    clock.advance(50_000)
    expect(await check(isolate, world, { resource: 'gpu_hours' })).toMatchObject({ allowed: true, degraded: true })
    clock.advance(10_000)
    expect(await check(isolate, world, { resource: 'gpu_hours' })).toMatchObject({ reason: 'unavailable_denied' })
  })

  test('what a rule of the namespace has changed is not answered from before it did', async () => {
    const world = await funded()
    const isolate = startIsolate()
    await filled(isolate, world)
    const warn = { resource: RESOURCE, limit_kind: 'cumulative', action: 'warn' }
    await bodyOf(201, isolate.call('POST', '/v1/rules', warn, world.bearer))
    await breakPostgres({ dropBefore: {} })
    expect(await check(isolate, world)).toMatchObject({ reason: 'unavailable_denied', degraded: true })
  })

  test('at is never answered from a cache', async () => {
    const world = await funded()
    const isolate = startIsolate()
    await filled(isolate, world)
    await breakPostgres({ dropBefore: {} })
    const asked = { at: '2027-01-01T00:00:00Z', on_error: 'allow' }
    expect(await check(isolate, world, asked)).toMatchObject({ reason: 'unavailable_allowed', source: 'none' })
  })

  test('a revoked key stays refused, wherever that is known', async () => {
    const world = await funded()
    const clock = createClock()
    const isolate = startIsolate({ clock })
    const created = await bodyOf(201, world.namespace.call('POST', '/v1/keys', { name: 'k', scopes: ['check'] }))
    const asking = { ...world, bearer: String(created['secret']) }
    await filled(isolate, asking)
    await filled(startIsolate({ clock }), asking)
    const revoked = await isolate.call('DELETE', `/v1/keys/${created['key_id']}`, undefined, world.bearer)
    expect(revoked.status).toBe(200)
    await breakPostgres({ dropBefore: {} })
    clock.advance(5000)
    const body = { account_id: world.account, resource: RESOURCE }
    for (const one of [isolate, startIsolate({ clock })]) {
      expect(await errorOf(one.call('POST', '/v1/check', body, asking.bearer))).toMatchObject({ status: 503 })
    }
  })

  test('locks held: a check waits for nobody, a write is contended', async () => {
    const world = await funded()
    const release = await holdLocks(
      'select from resource_state s join accounts a using (account_id) where a.namespace_id = $1 for update of s',
      [world.namespace.name],
    )
    try {
      const isolate = startIsolate()
      expect(await check(isolate, world)).toMatchObject({ source: 'postgres', allowed: true })
      const waited = await elapsed(async () => {
        expect(await errorOf(consume(isolate, world))).toMatchObject({ status: 503, code: 'contended' })
      })
      expect(waited).toBeLessThan(1000 + SLACK_MS)
    } finally {
      await release()
    }
  })
})

describe('both', () => {
  test('down: the last state in memory, else on_error; writes are 503', async () => {
    const world = await funded()
    const isolate = startIsolate()
    await filled(isolate, world)
    await breakRedis({ dropBefore: {} })
    await breakPostgres({ dropBefore: {} })
    expect(await check(isolate, world, { max_staleness_ms: 0 })).toMatchObject({ degraded: true, source: 'memory' })
    const asking = { ...world, bearer: await mintToken(world.namespace.name, 'check') }
    expect(await check(startIsolate(), asking, { on_error: 'allow' })).toMatchObject({
      reason: 'unavailable_allowed',
      source: 'none',
    })
    expect(await errorOf(consume(isolate, world))).toMatchObject({ status: 503 })
  })

  test('slow: a check waits for Redis, Postgres, and Redis once more, and no longer', async () => {
    const world = await funded()
    await breakRedis(SLOW)
    await breakPostgres(SLOW)
    const asking = { ...world, bearer: await mintToken(world.namespace.name, 'check') }
    const waited = await elapsed(async () => {
      expect(await check(startIsolate(), asking)).toMatchObject({ reason: 'unavailable_denied', degraded: true })
    })
    // Redis was left alone for 3 s only.
    expect(waited).toBeGreaterThan(POSTGRES_BUDGET_MS + 2 * REDIS_BUDGET_MS - 100)
    expect(waited).toBeLessThan(POSTGRES_BUDGET_MS + 2 * REDIS_BUDGET_MS + SLACK_MS)
  }, 15_000)
})

test('nothing left for after the answer is ever done: only slower, never wrong', async () => {
  const world = await funded()
  const clock = createClock()
  const [here, there] = [startIsolate({ clock, background: false }), startIsolate({ clock, background: false })]
  for (let used = 0; used < 10; used++) {
    expect(await check(here, world)).toMatchObject({ used, degraded: false })
    await bodyOf(201, consume(here, world))
    clock.advance(1000)
    expect(await check(there, world, { max_staleness_ms: 999 })).toMatchObject({ used: used + 1 })
  }
  expect(await bodyOf(200, consume(there, world))).toMatchObject({ allowed: false, reason: 'limit_exceeded' })
})
