import { describe, expect, it } from 'vitest'
import { at, check, consume, grant, meter, ruleFor, textAt } from '../../support/commands.ts'
import { type Answer, api, errorOf, mintAccount, sql } from '../../support/sql.ts'

const commands = { consume, meter } as const
const CONFLICT = { status: 409, code: 'idempotency_conflict', param: 'idempotency_key' }

async function entries(account: string): Promise<number> {
  return (
    await sql('select 1 from consumption_ledger l join accounts a using (account_id) where a.external_id = $1', [
      account,
    ])
  ).length
}

async function batch(entriesOfBatch: Answer[]): Promise<Answer[]> {
  const bodies = entriesOfBatch.map((entry) => ({ resource: 'benchmark_runs', quantity: 1, ...entry }))
  return (await api('api_meter_batch', { entries: bodies }))['results'] as Answer[]
}

describe.each(['consume', 'meter'] as const)('%s with the same key', (name) => {
  const call = commands[name]

  it('and the same request: the first result again, whatever has happened since', async () => {
    const account = mintAccount()
    const granted = await grant(account, { quantity: 10 })
    await ruleFor(account, { action: 'warn' })
    const request = { idempotency_key: 'k', quantity: 8, scope: 'us', unit: 'count', metadata: { a: 1 } }
    const first = await call(account, request)
    await call(account, { quantity: 9, scope: 'us' })
    await api('api_entitlement_revoke', { entitlement_id: textAt(granted, 'entitlement_id') })
    await sql("update accounts set status = 'suspended' where external_id = $1", [account])
    for (let n = 0; n < 3; n++) expect(await call(account, request)).toEqual({ ...first, duplicate: true })
    expect(await entries(account)).toBe(2)
  })

  it.each([
    ['metadata is no part of the request', { metadata: { b: 2 } }],
    ["the unit left out is the resource's own", { unit: undefined }],
  ])('%s', async (_why, change) => {
    const account = mintAccount()
    await grant(account)
    const request = { idempotency_key: 'k', quantity: 2, unit: 'count', metadata: { a: 1 } }
    const first = await call(account, request)
    const again = JSON.parse(JSON.stringify({ ...request, ...change })) as Answer
    expect(await call(account, again)).toEqual({ ...first, duplicate: true })
  })

  it.each([
    ['quantity', { quantity: 3 }],
    ['scope', { scope: 'eu' }],
    ['no scope', { scope: null }],
    ['resource', { resource: 'server_configs' }],
    ['resource and nothing held of it', { resource: 'ai_models' }],
    ['unit', { resource: 'gpu_hours', unit: 'minutes' }],
  ])('and another %s: conflict', async (_what, change) => {
    const account = mintAccount()
    for (const resource of ['benchmark_runs', 'server_configs', 'gpu_hours']) await grant(account, { resource })
    const request = {
      idempotency_key: 'k',
      quantity: 2,
      scope: 'us',
      ...('unit' in change ? { resource: 'gpu_hours', unit: 'hours' } : {}),
    }
    await call(account, request)
    expect(await errorOf(call(account, { ...request, ...change }))).toMatchObject(CONFLICT)
    expect(await entries(account)).toBe(1)
  })

  it('on another account: a use of its own', async () => {
    const accounts = [mintAccount(), mintAccount()]
    for (const account of accounts) {
      await grant(account)
      expect(await call(account, { idempotency_key: 'k' })).toMatchObject({ duplicate: false })
    }
  })

  it('a failed request does not use it up', async () => {
    const account = mintAccount()
    await grant(account)
    await errorOf(call(account, { idempotency_key: 'k', unit: 'hours' }))
    expect(await call(account, { idempotency_key: 'k', quantity: 5 })).toMatchObject({
      duplicate: false,
      entry: { quantity: 5 },
    })
  })
})

it('another occurred_at is another request', async () => {
  const account = mintAccount()
  const request = { idempotency_key: 'k', occurred_at: '2026-01-01T00:00:00Z' }
  const first = await meter(account, request)
  expect(await meter(account, { ...request, occurred_at: '2026-01-01T01:00:00+01:00' })).toEqual({
    ...first,
    duplicate: true,
  })
  expect(await errorOf(meter(account, { ...request, occurred_at: '2026-01-01T00:00:00.001Z' }))).toMatchObject(CONFLICT)
})

it('a denied request does not use it up', async () => {
  const account = mintAccount()
  await grant(account, { quantity: 1 })
  expect(await consume(account, { idempotency_key: 'k', quantity: 2 })).toMatchObject({
    allowed: false,
    duplicate: false,
  })
  await grant(account, { quantity: 1 })
  expect(await consume(account, { idempotency_key: 'k', quantity: 2 })).toMatchObject({
    allowed: true,
    duplicate: false,
  })
  expect(await consume(account, { idempotency_key: 'k', quantity: 2 })).toMatchObject({
    allowed: true,
    duplicate: true,
  })
})

describe('a key belongs to one operation', () => {
  const use = (account: string): Answer => ({
    idempotency_key: 'k',
    account_id: account,
    resource: 'benchmark_runs',
    quantity: 1,
  })
  const operations: Record<string, (account: string) => Promise<unknown>> = {
    consume: (account) => api('api_consume', use(account)),
    meter: (account) => api('api_meter', use(account)),
    subscribe: (account) =>
      api('api_subscription_create', { idempotency_key: 'k', account_id: account, plan_id: 'pro' }),
    grant: (account) =>
      api('api_entitlement_grant', {
        idempotency_key: 'k',
        account_id: account,
        resource: 'benchmark_runs',
        limit_kind: 'cumulative',
        quantity: 100,
      }),
  }
  const names = Object.keys(operations)
  it.each(names.flatMap((first) => names.filter((name) => name !== first).map((second) => [first, second] as const)))(
    'used by %s, then by %s: conflict',
    async (first, second) => {
      const account = mintAccount()
      await grant(account)
      await operations[first]?.(account)
      expect(await errorOf(Promise.resolve(operations[second]?.(account)))).toMatchObject(CONFLICT)
    },
  )

  it('a batch meters like a single one: duplicate of it, and it of the batch', async () => {
    const account = mintAccount()
    await grant(account)
    const single = await meter(account, { idempotency_key: 'one' })
    const [first, second, third] = await batch([
      { account_id: account, idempotency_key: 'one' },
      { account_id: account, idempotency_key: 'two', quantity: 2 },
      { account_id: account, idempotency_key: 'one', quantity: 3 },
    ])
    expect(first).toEqual({ index: 0, status: 'duplicate', entry: single['entry'], error: null })
    expect(second).toMatchObject({ status: 'recorded' })
    expect(third).toMatchObject({ status: 'conflict', entry: null, error: { type: 'conflict', ...CONFLICT_ERROR } })
    expect(await meter(account, { idempotency_key: 'two', quantity: 2 })).toMatchObject({
      duplicate: true,
      entry: at(second ?? null, 'entry'),
      state: { used: 3 },
    })
    expect(await errorOf(meter(account, { idempotency_key: 'two', quantity: 1 }))).toMatchObject(CONFLICT)
    expect(await errorOf(consume(account, { idempotency_key: 'two', quantity: 2 }))).toMatchObject(CONFLICT)
  })

  it('a batch conflicts with a consume of the same key', async () => {
    const account = mintAccount()
    await grant(account)
    await consume(account, { idempotency_key: 'k' })
    expect(await batch([{ account_id: account, idempotency_key: 'k' }])).toMatchObject([
      { status: 'conflict', entry: null },
    ])
    expect(await check(account)).toMatchObject({ used: 1 })
  })
})

const CONFLICT_ERROR = { code: 'idempotency_conflict', param: 'idempotency_key' }
