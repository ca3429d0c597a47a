import { randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { acquire, assign, grant, keyed, meter, ruleFor, textAt } from '../../support/commands.ts'
import { type Answer, api, errorOf, type Json, mintAccount, mintNamespace, token } from '../../support/sql.ts'

const COUNT = 7

type List = {
  /** Makes COUNT rows and says how to ask for them. */
  make: (namespace: string) => Promise<Answer>
  id: string
  newestFirst: boolean
  namespace?: 'default'
}

async function times(make: (n: number) => Promise<unknown>): Promise<void> {
  for (let n = 0; n < COUNT; n++) await make(n)
}

const lists: Record<string, List> = {
  api_lease_list: {
    id: 'lease_id',
    newestFirst: true,
    make: async (namespace) => {
      const account = mintAccount()
      await grant(account, { resource: 'concurrent_users', limit_kind: 'concurrency' }, namespace)
      await times((n) => acquire(account, `h${n}`, {}, namespace))
      return { account_id: account, resource: 'concurrent_users', status: 'active' }
    },
  },
  api_inventory_list: {
    id: 'entry_id',
    newestFirst: true,
    make: async (namespace) => {
      const account = mintAccount()
      await grant(account, { resource: 'named_users', limit_kind: 'inventory' }, namespace)
      await times((n) => assign(account, `i${n}`, {}, namespace))
      return { account_id: account, resource: 'named_users' }
    },
  },
  api_ledger_list: {
    id: 'entry_id',
    newestFirst: true,
    make: async (namespace) => {
      const account = mintAccount()
      // Three at the same instant: the id decides among them. Two resources, one list.
      await times((n) =>
        meter(
          account,
          { resource: n % 2 ? 'gpu_hours' : 'benchmark_runs', occurred_at: `2026-01-0${Math.min(n, 4) + 1}T00:00:00Z` },
          namespace,
        ),
      )
      return { account_id: account, from: '2026-01-01T00:00:00Z', to: '2026-01-06T00:00:00Z' }
    },
  },
  api_rule_list: {
    id: 'rule_id',
    newestFirst: true,
    make: async (namespace) => {
      await times((n) => ruleFor(n % 2 ? mintAccount() : null, { action: 'warn' }, namespace))
      return { resource: 'benchmark_runs' }
    },
  },
  api_subscription_list: {
    id: 'subscription_id',
    newestFirst: true,
    make: async (namespace) => {
      const account = mintAccount()
      await api('api_plan_put', { plan_id: 'p', name: 'P', entitlements: [] }, token(namespace))
      await times(() =>
        api('api_subscription_create', { ...keyed(), account_id: account, plan_id: 'p' }, token(namespace)),
      )
      return { account_id: account }
    },
  },
  api_plan_list: {
    id: 'plan_id',
    newestFirst: false,
    make: async (namespace) => {
      await times((n) => api('api_plan_put', { plan_id: `p${n}`, name: 'P' }, token(namespace)))
      return {}
    },
  },
  api_plan_versions: {
    id: 'version',
    newestFirst: true,
    make: async (namespace) => {
      await times((n) =>
        api(
          'api_plan_put',
          { plan_id: 'p', name: 'P', entitlements: [{ resource: 'gpu_hours', limit_kind: 'cumulative', quantity: n }] },
          token(namespace),
        ),
      )
      return { plan_id: 'p' }
    },
  },
  api_key_list: {
    id: 'key_id',
    newestFirst: true,
    make: async (namespace) => {
      await times(() =>
        api(
          'api_key_create',
          { name: 'k', scopes: ['read'], hash: randomUUID().replaceAll('-', '').repeat(2), prefix: 'p' },
          token(namespace),
        ),
      )
      return {}
    },
  },
}

async function pages(name: string, request: Answer, namespace: string, limit: number): Promise<Json[][]> {
  const all: Json[][] = []
  let cursor: Json = null
  do {
    const page: Answer = await api(name, { ...request, limit, cursor }, token(namespace))
    const data = page['data'] as Json[]
    all.push(data)
    cursor = page['next_cursor'] ?? null
    expect(page['has_more']).toBe(cursor !== null)
    expect(data.length).toBeLessThanOrEqual(limit)
  } while (cursor !== null && all.length < 50)
  return all
}

describe.each(Object.entries(lists))('%s', (name, { make, id, newestFirst }) => {
  it('all pages together are all rows, in order, none twice', async () => {
    const namespace = await mintNamespace()
    const request = await make(namespace)
    const whole = (await pages(name, request, namespace, 100)).flat()
    expect(whole).toHaveLength(COUNT)
    const ids = whole.map((row) => (row as Answer)[id])
    expect(new Set(ids).size).toBe(COUNT)
    for (const limit of [1, 2, 3, COUNT - 1, COUNT, COUNT + 1]) {
      const found = await pages(name, request, namespace, limit)
      expect(found.flat()).toEqual(whole)
      expect(found).toHaveLength(Math.ceil(COUNT / limit))
    }
    if (!newestFirst || id === 'version') return
    const instants = whole.map((row) =>
      Date.parse(
        textAt(
          row,
          { api_ledger_list: 'occurred_at', api_lease_list: 'acquired_at', api_inventory_list: 'assigned_at' }[name] ??
            'created_at',
        ),
      ),
    )
    // Ids are ordered to the millisecond of their making, which is a moment before that of the row.
    for (const [n, instant] of instants.entries()) expect(instants[n + 1] ?? 0).toBeLessThanOrEqual(instant + 5)
  })

  it('a cursor that is none is refused', async () => {
    const namespace = await mintNamespace()
    const request = await make(namespace)
    const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
    for (const cursor of ['x', '!!', '', 'e30', 'bnVsbA', encode([]), encode(['a', 'b', 'c']), encode({ a: 1 })]) {
      const error = await errorOf(api(name, { ...request, cursor }, token(namespace)))
      expect([cursor, error]).toMatchObject([cursor, { status: 400, code: 'invalid_parameter', param: 'cursor' }])
    }
    // Where the sort key is a text, any text is a position.
    const injected = api(name, { ...request, cursor: encode(["'; drop table accounts; --"]) }, token(namespace))
    if (name === 'api_plan_list') expect(await injected).toMatchObject({ has_more: false })
    else expect(await errorOf(injected)).toMatchObject({ status: 400, param: 'cursor' })
  })
})

it.each(['api_resource_list', 'api_unit_list', 'api_namespace_list'])(
  '%s: all pages together are all rows, by name',
  async (name) => {
    const field = { api_resource_list: 'resource', api_unit_list: 'unit', api_namespace_list: 'namespace' }[name] ?? ''
    const namespace = name === 'api_namespace_list' ? 'default' : await mintNamespace()
    const found = (await pages(name, {}, namespace, name === 'api_namespace_list' ? 100 : 3))
      .flat()
      .map((row) => textAt(row, field))
    expect(found).toEqual([...new Set(found)].toSorted())
    expect(found).toContain({ resource: 'gpu_hours', unit: 'hours', namespace: 'default' }[field])
  },
)

it('gives 20 unless asked', async () => {
  const namespace = await mintNamespace()
  const account = mintAccount()
  const entries = Array.from({ length: 21 }, (_, n) => ({
    idempotency_key: `${n}`,
    account_id: account,
    resource: 'benchmark_runs',
    quantity: 1,
  }))
  await api('api_meter_batch', { entries }, token(namespace))
  for (const request of [{}, { account_id: account }]) {
    const page = await api('api_ledger_list', request, token(namespace))
    expect(page['data']).toHaveLength(20)
    expect(page).toMatchObject({ has_more: true })
  }
})

describe('filters of the ledger', () => {
  it('from is inclusive, to exclusive, both on occurred_at', async () => {
    const namespace = await mintNamespace()
    const account = mintAccount()
    for (const day of [1, 2, 3])
      await meter(account, { quantity: day, occurred_at: `2026-01-0${day}T00:00:00Z` }, namespace)
    await meter(account, { resource: 'gpu_hours', quantity: 9, occurred_at: '2026-01-02T00:00:00Z' }, namespace)
    const quantities = async (request: Answer) => {
      const answer = await api('api_ledger_list', request, token(namespace))
      return (answer['data'] as Answer[]).map((row) => row['quantity'])
    }
    for (const who of [{ account_id: account }, {}]) {
      const runs = { ...who, resource: 'benchmark_runs' }
      expect(await quantities(runs)).toEqual([3, 2, 1])
      expect(await quantities({ ...runs, from: '2026-01-02T00:00:00Z' })).toEqual([3, 2])
      expect(await quantities({ ...runs, to: '2026-01-02T00:00:00Z' })).toEqual([1])
      expect(await quantities({ ...runs, from: '2026-01-02T00:00:00Z', to: '2026-01-02T00:00:00.001Z' })).toEqual([2])
      expect(new Set(await quantities(who))).toEqual(new Set([3, 9, 2, 1]))
      expect(await errorOf(quantities({ ...who, resource: 'nothing_such' }))).toMatchObject({
        code: 'unknown_resource',
      })
    }
    expect(await quantities({ account_id: mintAccount() })).toEqual([])
  })
})
