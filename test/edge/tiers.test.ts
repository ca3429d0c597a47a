import { describe, expect, test } from 'vitest'
import { countRequests, mintAccount, mintNamespace, mintToken, redis, sql } from '../support/edge.ts'
import { bodyOf, errorOf, grant, key, rule } from '../support/edge-commands.ts'
import { type Clock, createClock, type Isolate, startIsolate } from '../support/edge-isolate.ts'
import type { JsonObject } from '../support/json-path.ts'

const RESOURCE = 'benchmark_runs'

async function funded(fields: JsonObject = {}) {
  const namespace = await mintNamespace()
  const account = mintAccount()
  await grant(namespace, account, { quantity: 10, ...fields })
  return { namespace, account, bearer: namespace.key }
}

type Funded = Awaited<ReturnType<typeof funded>>

/** A check that any tier may answer, and then all that is left to do. */
async function check(isolate: Isolate, { account, bearer }: Funded, fields: JsonObject = {}): Promise<JsonObject> {
  const body = { account_id: account, resource: RESOURCE, ...fields }
  const answer = await bodyOf(200, isolate.call('POST', '/v1/check', body, bearer))
  await isolate.settled()
  return answer
}

async function consume(isolate: Isolate, { account, bearer }: Funded, fields: JsonObject = {}) {
  const body = { ...key(), account_id: account, resource: RESOURCE, quantity: 1, ...fields }
  const answer = await bodyOf(201, isolate.call('POST', '/v1/consume', body, bearer))
  await isolate.settled()
  return answer
}

/** Behind the service's back: nobody tells the caches. */
async function useUp({ namespace, account }: Funded): Promise<void> {
  await sql(
    `select fn_meter_consumption($1, account_id, '${RESOURCE}', 10, 'count') from accounts where namespace_id = $2 and external_id = $3`,
    [crypto.randomUUID(), namespace.name, account],
  )
}

const snapName = ({ namespace, account }: Funded) => `snap:${namespace.name}:${account}:${RESOURCE}`

describe('the nearest tier answers', () => {
  test('Postgres, memory, then Redis in another isolate, which fills its memory', async () => {
    const world = await funded()
    const [here, there] = [startIsolate(), startIsolate()]
    const sources = [
      await check(here, world),
      await check(here, world),
      await check(there, world),
      await check(there, world),
    ].map(({ source, used, degraded }) => ({ source, used, degraded }))
    expect(sources.map(({ source }) => source)).toEqual(['postgres', 'memory', 'redis', 'memory'])
    expect(sources.every(({ used, degraded }) => used === 0 && degraded === false)).toBe(true)
  })

  test.each([
    ['memory', { neon: 0, upstash: 0, commands: 0 }],
    ['redis', { neon: 0, upstash: 1, commands: 1 }],
  ])('%s costs what it should, by key and by token', async (source, costs) => {
    const world = await funded()
    for (const bearer of [world.bearer, world.namespace.token]) {
      const asking = { ...world, bearer }
      const isolate = startIsolate()
      await check(startIsolate(), asking)
      if (source === 'memory') await check(isolate, asking)
      const seen = await countRequests(async () => expect(await check(isolate, asking)).toMatchObject({ source }))
      expect(seen).toEqual(costs)
    }
  })

  test('Postgres costs one request, and what fills the other tiers after the answer', async () => {
    const world = await funded()
    for (const bearer of [world.bearer, world.namespace.token]) {
      const body = { account_id: mintAccount(), resource: RESOURCE }
      const isolate = startIsolate({ background: false })
      const asked = await countRequests(() => isolate.call('POST', '/v1/check', body, bearer))
      expect(asked.neon).toBe(1)
      // The tier above it was asked, and the fill sent.
      expect(asked.upstash).toBeLessThanOrEqual(2)
    }
  })

  test.each([
    ['max_staleness_ms 0', { max_staleness_ms: 0 }],
    ['at', { at: '2027-01-01T00:00:00Z' }],
  ])('%s is always Postgres, and asks nobody else', async (_, fields) => {
    const world = await funded()
    const isolate = startIsolate({ background: false })
    await check(isolate, world)
    const seen = await countRequests(async () => {
      expect(await check(isolate, world, fields)).toMatchObject({ source: 'postgres' })
    })
    expect(seen.neon).toBe(1)
  })

  test('the record of a key is written once a second, whatever is read with it', async () => {
    const world = await funded()
    const clock = createClock()
    const isolate = startIsolate({ clock })
    const written: number[] = []
    for (const ms of [0, 1000, 1]) {
      clock.advance(ms)
      const { commands } = await countRequests(() => check(isolate, world, { max_staleness_ms: 0 }))
      written.push(commands)
    }
    // The state each time; the record when it is new, or more than a second old.
    expect(written).toEqual([2, 1, 2])
  })

  test('at fills nothing', async () => {
    const world = await funded()
    const isolate = startIsolate()
    await check(isolate, world, { at: '2020-01-01T00:00:00Z' })
    expect(await check(isolate, world)).toMatchObject({ source: 'postgres', allowed: true })
  })

  test('each purpose and quantity is answered from one reading', async () => {
    const world = await funded()
    const isolate = startIsolate()
    await check(isolate, world)
    const answers = [
      await check(isolate, world, { quantity: 10 }),
      await check(isolate, world, { quantity: 11 }),
      await check(isolate, world, { for: 'lease' }),
      await check(isolate, world, { for: 'consume', quantity: 0 }),
    ]
    expect(answers.map(({ source, reason }) => [source, reason])).toEqual([
      ['memory', 'within_limit'],
      ['memory', 'limit_exceeded'],
      ['memory', 'no_entitlement'],
      ['memory', 'within_limit'],
    ])
  })

  test('without Redis: memory, then Postgres', async () => {
    const world = await funded()
    const clock = createClock()
    const isolate = startIsolate({ clock, redis: false })
    const sources: unknown[] = []
    for (const ms of [0, 10, 1000]) {
      clock.advance(ms)
      sources.push((await check(isolate, world)).source)
    }
    expect(sources).toEqual(['postgres', 'memory', 'postgres'])
  })

  test('a UUID that is not in lower case skips the caches: it may be another way to write an account', async () => {
    const namespace = await mintNamespace({ rawUuids: true })
    const account = crypto.randomUUID()
    await grant(namespace, account, { quantity: 10 })
    const world = { namespace, account, bearer: namespace.key }
    const isolate = startIsolate()
    await check(isolate, world)
    expect(await check(isolate, world)).toMatchObject({ source: 'memory' })
    const upper = { ...world, account: account.toUpperCase() }
    await check(isolate, upper)
    expect(await check(isolate, upper)).toMatchObject({ source: 'postgres', account_id: account.toUpperCase() })
  })

  test('accounts and resources whose names hold colons, spaces and slashes share nothing', async () => {
    const namespace = await mintNamespace()
    const isolate = startIsolate()
    const accounts = ['a', 'a:b', 'a%3Ab', 'a b', 'A', 'a\u00e9', '\u{1f600}', "a'(*)!~"]
    for (const [index, account] of accounts.entries()) await grant(namespace, account, { quantity: index + 1 })
    for (const turn of ['postgres', 'memory']) {
      for (const [index, account] of accounts.entries()) {
        const answer = await check(isolate, { namespace, account, bearer: namespace.key })
        expect(answer).toMatchObject({ source: turn, limit: index + 1, account_id: account })
      }
    }
  })
})

describe('ages', () => {
  const aged = async (world: Funded, clock: Clock, ms: number, fields: JsonObject = {}) => {
    const isolate = startIsolate({ clock })
    await check(isolate, world)
    await useUp(world)
    clock.advance(ms)
    return check(isolate, world, fields)
  }

  test.each([
    [100, 90],
    [1500, 1400],
    [5000, 4900],
    [60_000, 7000],
  ])('with max_staleness_ms %i an answer may be %i ms old, and no older than that', async (max_staleness_ms, age) => {
    const world = await funded()
    const clock = createClock()
    expect(await aged(world, clock, age, { max_staleness_ms })).toMatchObject({
      used: 0,
      source: expect.stringMatching(/memory|redis/),
    })
    clock.advance(max_staleness_ms - age + 1)
    expect(await check(startIsolate({ clock }), world, { max_staleness_ms })).toMatchObject({
      used: 10,
      source: 'postgres',
    })
  })

  test('nobody who does not say gets anything older than a minute, by a token', async () => {
    const world = await funded()
    const clock = createClock()
    const token = { ...world, bearer: await mintToken(world.namespace.name, 'check') }
    const isolate = startIsolate({ clock })
    await check(isolate, token)
    await useUp(world)
    clock.advance(59_000)
    expect(await check(isolate, token)).toMatchObject({ used: 0, source: 'redis' })
    clock.advance(1001)
    expect(await check(isolate, token)).toMatchObject({ used: 10, source: 'postgres' })
  })

  test('memory answers for less than a second after its fill', async () => {
    const world = await funded()
    const clock = createClock()
    const isolate = startIsolate({ clock })
    await check(isolate, world)
    clock.advance(1000)
    expect(await check(isolate, world)).toMatchObject({ source: 'redis' })
    expect(await check(isolate, world)).toMatchObject({ source: 'memory' })
  })

  test('ages add up over the tiers', async () => {
    const world = await funded()
    const clock = createClock()
    await check(startIsolate({ clock }), world)
    await useUp(world)
    clock.advance(900)
    const isolate = startIsolate({ clock })
    expect(await check(isolate, world, { max_staleness_ms: 1000 })).toMatchObject({ source: 'redis' })
    clock.advance(101)
    // Filled 101 ms ago, but read 1001 ms ago.
    expect(await check(isolate, world, { max_staleness_ms: 1000 })).toMatchObject({ source: 'postgres', used: 10 })
  })

  test.each([
    ['a full limit', { quantity: 11 }, { quantity: 100 }],
    ['no entitlement', { resource: 'gpu_hours' }, { resource: 'gpu_hours' }],
  ])('a denial is confirmed after 2 s: %s', async (_, asked, granted) => {
    const world = await funded()
    const clock = createClock()
    const isolate = startIsolate({ clock })
    expect(await check(isolate, world, asked)).toMatchObject({ allowed: false, source: 'postgres' })
    await sql(
      `insert into entitlements (account_id, resource_type_code, limit_kind_code, quantity_allowed)
       select account_id, $3, 'cumulative', 100 from accounts where namespace_id = $1 and external_id = $2`,
      [world.namespace.name, world.account, 'resource' in granted ? granted.resource : RESOURCE],
    )
    clock.advance(1900)
    expect(await check(isolate, world, asked)).toMatchObject({ allowed: false, source: 'redis' })
    clock.advance(100)
    expect(await check(isolate, world, asked)).toMatchObject({ allowed: true, source: 'postgres' })
  })

  test('as_of is when the state was read, in the time of the namespace', async () => {
    const world = await funded()
    const month = 30 * 86_400
    await bodyOf(200, world.namespace.call('POST', '/v1/test_clock', { advance_seconds: month }))
    const isolate = startIsolate()
    const first = await check(isolate, world)
    const again = await check(isolate, world)
    expect(again).toMatchObject({ source: 'memory', as_of: first.as_of })
    expect(Math.abs(Date.parse(String(first.as_of)) - Date.now() - month * 1000)).toBeLessThan(10_000)
  })

  test('what time changes is not answered from before it did, with the clock a month ahead', async () => {
    const namespace = await mintNamespace()
    const account = mintAccount()
    await bodyOf(200, namespace.call('POST', '/v1/test_clock', { advance_seconds: 30 * 86_400 }))
    const { now } = await bodyOf(200, namespace.call('GET', '/v1/test_clock'))
    const ends = new Date(Date.parse(String(now)) + 5000).toISOString()
    await grant(namespace, account, { quantity: 10, effective_end: ends })
    const world = { namespace, account, bearer: namespace.key }
    const clock = createClock()
    const isolate = startIsolate({ clock })
    expect(await check(isolate, world)).toMatchObject({ allowed: true, source: 'postgres' })
    clock.advance(3500)
    expect(await check(isolate, world)).toMatchObject({ allowed: true, source: 'redis' })
    // A quarter of a second for clocks that differ.
    clock.advance(1400)
    expect(await check(isolate, world)).toMatchObject({ source: 'postgres' })
  })

  test('once it may have improved a denial is a miss, and what was allowed stands', async () => {
    const world = await funded()
    const lease = { account_id: world.account, resource: 'concurrent_users', holder: 'a', ttl_seconds: 10 }
    await grant(world.namespace, world.account, {
      resource: 'concurrent_users',
      limit_kind: 'concurrency',
      quantity: 2,
    })
    await bodyOf(201, world.namespace.call('POST', '/v1/leases', lease))
    const clock = createClock()
    const isolate = startIsolate({ clock })
    const asked = { resource: 'concurrent_users', for: 'lease' }
    clock.advance(9000)
    expect(await check(isolate, world, { ...asked, quantity: 2 })).toMatchObject({ allowed: false, source: 'postgres' })
    expect(await check(isolate, world, { ...asked, quantity: 2 })).toMatchObject({ allowed: false, source: 'memory' })
    clock.advance(760)
    expect(await check(isolate, world, asked)).toMatchObject({ allowed: true, source: 'memory' })
    expect(await check(isolate, world, { ...asked, quantity: 2 })).toMatchObject({ source: 'postgres' })
  })
})

describe('what is written shows', () => {
  test('a consume: in its isolate at once, elsewhere from Redis', async () => {
    const world = await funded()
    const [here, there] = [startIsolate(), startIsolate()]
    await check(here, world)
    await consume(here, world, { quantity: 4 })
    expect(await check(here, world)).toMatchObject({ source: 'memory', used: 4, remaining: 6 })
    expect(await check(there, world)).toMatchObject({ source: 'redis', used: 4, remaining: 6 })
  })

  test('a consume in one scope: nothing older is left of another one', async () => {
    const world = await funded()
    const [here, there] = [startIsolate(), startIsolate()]
    await check(here, world, { scope: 'us' })
    await consume(here, world, { quantity: 4 })
    for (const isolate of [here, there]) {
      expect(await check(isolate, world, { scope: 'us' })).toMatchObject({ used: 4 })
    }
  })

  test('even when the isolate ends with its answer: in memory', async () => {
    const world = await funded()
    const isolate = startIsolate({ background: false })
    await check(isolate, world)
    await consume(isolate, world)
    expect(await check(isolate, world)).toMatchObject({ source: 'memory', used: 1 })
  })

  test('a change of the control plane: everywhere else once its answer is there and memories have passed', async () => {
    const world = await funded()
    const clock = createClock()
    const [here, there] = [startIsolate({ clock }), startIsolate({ clock })]
    await check(here, world)
    await check(there, world)
    const granted = { account_id: world.account, resource: RESOURCE, limit_kind: 'cumulative', quantity: 5 }
    const reply = await here.call('POST', '/v1/entitlements', granted, world.bearer)
    expect(reply.headers.get('MEC-Propagation')).toBeNull()
    expect(reply.headers.get('Server-Timing')).toMatch(/postgres;dur=.*redis;dur=/)
    expect(await check(here, world)).toMatchObject({ limit: 15 })
    clock.advance(1000)
    expect(await check(there, world)).toMatchObject({ limit: 15 })
  })

  test('a rule of the namespace: nothing of before it is used, of any account', async () => {
    const world = await funded()
    const clock = createClock()
    const [here, there] = [startIsolate({ clock }), startIsolate({ clock })]
    for (const isolate of [here, there]) expect(await check(isolate, world)).toMatchObject({ action: 'block' })
    const rule = { resource: RESOURCE, limit_kind: 'cumulative', action: 'warn' }
    expect((await here.call('POST', '/v1/rules', rule, world.bearer)).status).toBe(201)
    expect(await check(here, world)).toMatchObject({ action: 'warn', source: 'postgres' })
    clock.advance(1000)
    expect(await check(there, world)).toMatchObject({ action: 'warn' })
  })

  test('the test clock: once it is answered no isolate can be older', async () => {
    const world = await funded()
    const isolate = startIsolate()
    await check(isolate, world)
    const reply = await isolate.call('POST', '/v1/test_clock', { advance_seconds: 86_400 }, world.bearer)
    expect(reply.status).toBe(200)
    expect(isolate.waits).toEqual([1000])
    expect(await redis('GET', `ns:${world.namespace.name}`)).toMatch(/^1 \d+ 86\d{6} t-/)
    expect(await check(isolate, world)).toMatchObject({ source: 'postgres' })
    await isolate.call('DELETE', '/v1/test_clock', undefined, world.bearer)
    expect(isolate.waits).toEqual([1000, 1000])
    expect(await check(startIsolate(), world)).toMatchObject({ source: 'postgres' })
  })
})

describe('Postgres restored, and Redis flushed', () => {
  async function restore({ namespace, account, ...world }: Funded): Promise<void> {
    await sql('update namespaces set config_version = config_version - 1 where namespace_id = $1', [namespace.name])
    await sql(
      `update resource_state s set key_version = s.key_version - 1 from accounts a
       where a.account_id = s.account_id and a.namespace_id = $1 and a.external_id = $2`,
      [namespace.name, account],
    )
    await redis('DEL', `ns:${namespace.name}`, snapName({ namespace, account, ...world }))
  }

  test('the caches answer again once nothing of before can still be under way, though versions are lower', async () => {
    const world = await funded()
    await rule(world.namespace, null, { action: 'block' })
    const clock = createClock()
    const [here, there] = [startIsolate({ clock }), startIsolate({ clock })]
    for (const isolate of [here, there]) {
      await check(isolate, world)
      expect(await check(isolate, world)).toMatchObject({ source: 'memory' })
    }
    await restore(world)
    clock.advance(6000)
    for (let turn = 0; turn < 2; turn++) expect(await check(here, world)).toMatchObject({ source: 'postgres' })
    clock.advance(1)
    for (const isolate of [here, there]) {
      expect(await check(isolate, world)).toMatchObject({ source: 'postgres' })
      expect(await check(isolate, world)).toMatchObject({ source: 'memory' })
    }
    clock.advance(1000)
    expect(await check(there, world)).toMatchObject({ source: 'redis' })
    await consume(here, world, { quantity: 3 })
    expect(await check(here, world)).toMatchObject({ source: 'memory', used: 3 })
    expect(await check(startIsolate({ clock }), world)).toMatchObject({ source: 'redis', used: 3 })
  })
})

describe('keys', () => {
  test('a revoked key is refused at once where it was revoked, and elsewhere within 10 s', async () => {
    const world = await funded()
    const clock = createClock()
    const [here, there] = [startIsolate({ clock }), startIsolate({ clock })]
    const created = await bodyOf(201, world.namespace.call('POST', '/v1/keys', { name: 'k', scopes: ['check'] }))
    const asking = { ...world, bearer: String(created['secret']) }
    const body = { account_id: world.account, resource: RESOURCE }
    const status = async (isolate: Isolate) => {
      const reply = await isolate.call('POST', '/v1/check', body, asking.bearer)
      await isolate.settled()
      return reply.status
    }
    for (const isolate of [here, there]) expect(await status(isolate)).toBe(200)
    const revoked = await here.call('DELETE', `/v1/keys/${created['key_id']}`, undefined, world.bearer)
    expect(revoked.status).toBe(200)
    expect(await status(here)).toBe(401)
    clock.advance(8001)
    expect(await status(there)).toBe(401)
  })

  test('revoked behind the service\u2019s back: a record of the key is trusted for 8 s, by checks only', async () => {
    const world = await funded()
    const clock = createClock()
    const isolate = startIsolate({ clock })
    await check(isolate, world)
    await sql('update api_keys set revoked_at = now() where namespace_id = $1', [world.namespace.name])
    clock.advance(7500)
    expect(await check(isolate, world)).toMatchObject({ allowed: true, source: 'redis' })
    const use = { ...key(), account_id: world.account, resource: RESOURCE, quantity: 1 }
    expect(await errorOf(isolate.call('POST', '/v1/consume', use, world.bearer))).toMatchObject({ status: 401 })
    clock.advance(501)
    const body = { account_id: world.account, resource: RESOURCE }
    expect(await errorOf(isolate.call('POST', '/v1/check', body, world.bearer))).toMatchObject({ status: 401 })
  })

  test('an unknown key costs one request in 2 s', async () => {
    const world = await funded()
    await sql('delete from api_keys where namespace_id = $1', [world.namespace.name])
    const clock = createClock()
    const isolate = startIsolate({ clock })
    const body = { account_id: world.account, resource: RESOURCE }
    const ask = async () => {
      expect(await errorOf(isolate.call('POST', '/v1/check', body, world.bearer))).toMatchObject({
        status: 401,
        code: 'unauthenticated',
      })
      await isolate.settled()
    }
    await ask()
    const again = await countRequests(async () => {
      await ask()
      await ask()
    })
    expect(again.neon).toBe(0)
    clock.advance(2000)
    expect((await countRequests(ask)).neon).toBe(1)
  })

  test('a key without the scope is refused by Postgres, whatever is cached', async () => {
    const world = await funded()
    const isolate = startIsolate()
    await check(isolate, world)
    const created = await bodyOf(201, world.namespace.call('POST', '/v1/keys', { name: 'k', scopes: ['meter'] }))
    const body = { account_id: world.account, resource: RESOURCE }
    for (let turn = 0; turn < 2; turn++) {
      const refused = isolate.call('POST', '/v1/check', body, String(created['secret']))
      expect(await errorOf(refused)).toMatchObject({ status: 403, code: 'missing_scope' })
    }
  })

  test('an expired key is refused when it expires', async () => {
    const world = await funded()
    const clock = createClock()
    const isolate = startIsolate({ clock })
    const expires_at = new Date(clock.nowMs() + 3000).toISOString()
    const created = await bodyOf(
      201,
      world.namespace.call('POST', '/v1/keys', { name: 'k', scopes: ['check'], expires_at }),
    )
    const asking = { ...world, bearer: String(created['secret']) }
    await check(isolate, asking)
    expect(await check(isolate, asking)).toMatchObject({ source: 'memory' })
    clock.advance(3000)
    // Postgres has its own clock, and says that it is not over yet: but it was asked.
    expect(await check(isolate, asking)).toMatchObject({ source: 'postgres' })
  })

  test('a key of one namespace gets nothing that was cached for another', async () => {
    const [one, other] = [await funded(), await funded()]
    const isolate = startIsolate()
    const shared = mintAccount()
    await grant(one.namespace, shared, { quantity: 3 })
    await check(isolate, { ...one, account: shared })
    expect(await check(isolate, { ...other, account: shared })).toMatchObject({ limit: 0, reason: 'no_entitlement' })
  })
})

describe('what is found in Redis is not trusted', () => {
  async function spoilt(world: Funded, spoil: (value: string) => string | Promise<string>) {
    await check(startIsolate(), world)
    const value = String(await redis('GET', snapName(world)))
    await redis('SET', snapName(world), await spoil(value))
    return check(startIsolate(), world)
  }

  test.each<[string, (value: string) => string]>([
    ['garbage', () => 'garbage'],
    ['an empty value', () => ''],
    ['half a value', (value) => value.slice(0, value.length / 2)],
    ['what no kind has an on_error in', (value) => value.replaceAll(/"on_error": ?"deny", ?/g, '')],
    ['an older form', (value) => value.replace(/^1 /, '0 ')],
    ['a newer form', (value) => value.replace(/^1 /, '2 ')],
    ['JSON of something else', (value) => value.replace(/\{.*\}/, '{"allowed":true}')],
    ['no open band', (value) => value.replace('"up_to": null', '"up_to": "1"').replace('"up_to":null', '"up_to":"1"')],
    ['a quantity that is none', (value) => value.replace(/"used": ?"0"/, '"used":"x"')],
    ['another scope', (value) => value.replace(/"scope": ?null/, '"scope":"us"')],
    ['another resource', (value) => value.replace(/"resource": ?"benchmark_runs"/, '"resource":"gpu_hours"')],
    ['another namespace', (value) => value.replace(/"namespace": ?"[^"]*"/, '"namespace":"default"')],
    ['versions that do not fit', (value) => value.replace(/"key_version": ?\d+/, '"key_version":99')],
    ['a reading from the future', (value) => value.replaceAll(/ \d{13} /g, ` ${Date.now() + 3_600_000} `)],
  ])('%s is a miss', async (_, spoil) => {
    const answer = await spoilt(await funded(), spoil)
    expect(answer).toMatchObject({ source: 'postgres', limit: 10, used: 0 })
  })

  test('untouched it is a hit', async () => {
    expect(await spoilt(await funded(), (value) => value)).toMatchObject({ source: 'redis' })
  })

  test('another tenant\u2019s value in its place is a miss', async () => {
    const other = await funded({ quantity: 1000 })
    await check(startIsolate(), other)
    const planted = String(await redis('GET', snapName(other)))
    expect(await spoilt(await funded(), () => planted)).toMatchObject({ source: 'postgres', limit: 10 })
  })

  test('another key\u2019s record in its place, or a namespace that it does not name, is a miss', async () => {
    const [world, other] = [await funded(), await funded()]
    await check(startIsolate(), world)
    await check(startIsolate(), other)
    const hash = async (bearer: string) => {
      const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(bearer))
      return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('')
    }
    const [own, theirs] = [`auth:${await hash(world.bearer)}`, `auth:${await hash(other.bearer)}`]
    const record = String(await redis('GET', own))
    for (const planted of [
      await redis('GET', theirs),
      record.replace(world.namespace.name, other.namespace.name),
      'x',
    ]) {
      await redis('SET', own, String(planted))
      expect(await check(startIsolate({ background: false }), world)).toMatchObject({ source: 'postgres' })
    }
  })

  test.each([
    ['gone', ['DEL']],
    ['garbage', ['SET', 'x']],
    ['of another type', ['RPUSH', 'x']],
  ])('the namespace\u2019s value %s: a miss', async (_, [command = '', ...values]) => {
    const world = await funded()
    await check(startIsolate(), world)
    const name = `ns:${world.namespace.name}`
    await redis('DEL', name)
    await redis(command, name, ...values)
    expect(await check(startIsolate({ background: false }), world)).toMatchObject({ source: 'postgres' })
  })
})

describe('a full pool of seats', () => {
  async function full(seats = 2) {
    const namespace = await mintNamespace()
    const account = mintAccount()
    await grant(namespace, account, { resource: 'concurrent_users', limit_kind: 'concurrency', quantity: seats })
    const world = { namespace, account, bearer: namespace.token }
    const leases: JsonObject[] = []
    for (let seat = 0; seat < seats; seat++) leases.push(await bodyOf(201, acquire(startIsolate(), world, `h${seat}`)))
    return { world, leases }
  }

  function acquire(isolate: Isolate, { account, bearer }: Funded, holder: string, fields: JsonObject = {}) {
    const body = { account_id: account, resource: 'concurrent_users', holder, ...fields }
    return isolate.call('POST', '/v1/leases', body, bearer)
  }

  /** Denied by Postgres, so that Redis knows of it. */
  async function deny(isolate: Isolate, world: Funded): Promise<JsonObject> {
    const denied = await bodyOf(200, acquire(isolate, world, 'first'))
    expect(denied).toMatchObject({ allowed: false, lease: null, source: 'postgres' })
    await isolate.settled()
    return denied
  }

  test('is denied from Redis as Postgres denied it, without asking Postgres', async () => {
    const { world } = await full()
    const clock = createClock()
    const denied = await deny(startIsolate({ clock }), world)
    let again: JsonObject = {}
    const seen = await countRequests(async () => {
      again = await bodyOf(200, acquire(startIsolate({ clock }), world, 'other'))
    })
    expect(again).toEqual({ ...denied, source: 'redis' })
    expect(seen).toEqual({ neon: 0, upstash: 1, commands: 1 })
  })

  test.each([
    ['2 s later', 2000, {}, 'other'],
    ['whoever holds a seat', 0, {}, 'h0'],
    ['who asks for another scope', 0, { scope: 'us' }, 'other'],
  ])('%s Postgres decides', async (_, ms, fields, holder) => {
    const { world } = await full()
    const clock = createClock()
    await deny(startIsolate({ clock }), world)
    clock.advance(ms)
    const reply = await acquire(startIsolate({ clock }), world, holder, fields)
    expect(reply.body).toMatchObject({ source: 'postgres', renewed: holder === 'h0' })
  })

  test('an API key is authenticated by Postgres', async () => {
    const { world } = await full()
    const isolate = startIsolate()
    await deny(isolate, world)
    const reply = await acquire(isolate, { ...world, bearer: world.namespace.key }, 'other')
    expect(reply.body).toMatchObject({ allowed: false, source: 'postgres' })
  })

  test('a seat that was given back is there at once', async () => {
    const { world, leases } = await full()
    const isolate = startIsolate()
    await deny(isolate, world)
    const lease = leases[0]?.['lease']
    const id = typeof lease === 'object' && lease !== null && 'lease_id' in lease ? String(lease.lease_id) : ''
    expect((await isolate.call('DELETE', `/v1/leases/${id}`, undefined, world.bearer)).status).toBe(200)
    await isolate.settled()
    expect((await acquire(startIsolate(), world, 'other')).status).toBe(201)
  })

  test('with as many holders as a denial shows, Postgres decides: nobody could tell who is not among them', async () => {
    const { world } = await full(20)
    const isolate = startIsolate()
    await deny(isolate, world)
    expect((await acquire(isolate, world, 'other')).body).toMatchObject({ allowed: false, source: 'postgres' })
  })
})
