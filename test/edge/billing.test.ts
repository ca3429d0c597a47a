import { exports } from 'cloudflare:workers'
import { describe, expect, onTestFinished, test } from 'vitest'
import {
  breakPostgres,
  countRequests,
  mintAccount,
  mintNamespace,
  mintToken,
  type Namespace,
  sql,
} from '../support/edge.ts'
import { bodyOf, consume, errorOf, grant, invalid, key, meter, rule, setClock } from '../support/edge-commands.ts'
import { at, type JsonObject, listAt, textAt } from '../support/json-path.ts'

const NOVEMBER = { type: 'calendar_month', start: '2031-11-01T00:00:00Z', end: '2031-12-01T00:00:00Z' }
const HEADER =
  'entitlement_id,account_id,resource,scope,window_type,window_start,window_end,status,included_quantity,overage_quantity,excess_quantity,overage_multiplier,billable_quantity,billable_amount,closed_at'

async function november(): Promise<Namespace> {
  const namespace = await mintNamespace()
  await setClock(namespace, '2031-11-20T12:00:00Z')
  return namespace
}

const windows = async (namespace: Namespace, query = ''): Promise<JsonObject[]> =>
  listAt(await bodyOf(200, namespace.call('GET', `/v1/billing/windows?limit=100&${query}`)), 'data') as JsonObject[]

async function exported(namespace: Namespace, query = ''): Promise<string[]> {
  const { status, text } = await namespace.call('GET', `/v1/billing/export?${query}`)
  expect(status, text).toBe(200)
  return text.split(/\r?\n/).slice(0, -1)
}

/** 50 runs are included, each beyond is 10: the guide's 2.2, with 57 used. */
async function overage(namespace: Namespace, account: string): Promise<string> {
  const granted = await grant(namespace, account, { quantity: 50, window: 'calendar_month' })
  await rule(namespace, account, { action: 'overage', warn_at_percent: 80, overage_multiplier: 10 })
  await bodyOf(201, meter(namespace, account, { quantity: 57 }))
  return textAt(granted, 'entitlement_id')
}

describe('the windows', () => {
  test('have every field of the contract', async () => {
    const namespace = await november()
    const entitlement_id = await overage(namespace, 'org_acme')
    const item = {
      entitlement_id,
      account_id: 'org_acme',
      resource: 'benchmark_runs',
      scope: null,
      window: NOVEMBER,
      status: 'open',
      included_quantity: 50,
      overage_quantity: 7,
      excess_quantity: 0,
      overage_multiplier: 10,
      billable_quantity: 7,
      billable_amount: 70,
      closed_at: null,
    }
    expect(await windows(namespace)).toEqual([item])
    expect(await windows(namespace, 'status=closed')).toEqual([])
    await setClock(namespace, '2031-12-01T01:00:00Z')
    expect(await windows(namespace, 'account_id=org_acme&status=closed')).toEqual([
      { ...item, status: 'closed', closed_at: '2031-12-01T01:00:00Z' },
    ])
    expect(await windows(namespace, 'status=open')).toEqual([])
    expect(await windows(namespace, 'account_id=other')).toEqual([])
  })

  test.each([
    ['status=done', 'status'],
    ['from=yesterday', 'from'],
    ['to=1', 'to'],
    ['account=a', 'account'],
  ])('refuse %s', async (query, param) => {
    const namespace = await mintNamespace()
    for (const path of ['/v1/billing/windows', '/v1/billing/export'])
      expect(await errorOf(namespace.call('GET', `${path}?${query}`))).toEqual(invalid(param))
  })

  test('know their resources', async () => {
    const namespace = await mintNamespace()
    for (const path of ['/v1/billing/windows', '/v1/billing/export'])
      expect(await errorOf(namespace.call('GET', `${path}?resource=none`))).toMatchObject({
        status: 400,
        code: 'unknown_resource',
        param: 'resource',
      })
  })

  test('need the scope read; a token of one account has its own', async () => {
    const namespace = await november()
    await overage(namespace, 'mine')
    await overage(namespace, 'other')
    for (const path of ['/v1/billing/windows', '/v1/billing/export?status=open&format=jsonl']) {
      const bearer = await mintToken(namespace.name, 'meter')
      expect(await errorOf(namespace.call('GET', path, undefined, { bearer }))).toMatchObject({ code: 'missing_scope' })
      const own = { bearer: await mintToken(namespace.name, 'read', { sub: 'mine' }) }
      const { text } = await namespace.call('GET', path, undefined, own)
      expect([text.includes('mine'), text.includes('other')]).toEqual([true, false])
      const asked = `${path}${path.includes('?') ? '&' : '?'}account_id=other`
      expect(await errorOf(namespace.call('GET', asked, undefined, own))).toMatchObject({ code: 'account_forbidden' })
    }
    const stranger = await mintNamespace()
    expect(await windows(stranger)).toEqual([])
  })

  test('late: what comes after the close is in the present, flagged; the closed stays to the byte', async () => {
    const namespace = await november()
    await overage(namespace, 'a')
    await setClock(namespace, '2031-12-05T00:00:00Z')
    const closed = async () => [
      (await namespace.call('GET', '/v1/billing/windows?status=closed')).text,
      (await namespace.call('GET', '/v1/billing/export')).text,
      (await namespace.call('GET', '/v1/billing/export?format=jsonl')).text,
    ]
    const before = await closed()
    const late = await bodyOf(201, meter(namespace, 'a', { quantity: 2, occurred_at: '2031-11-25T00:00:00Z' }))
    expect(at(late, 'entry.late')).toBe(true)
    await bodyOf(200, namespace.call('POST', '/v1/maintenance/run', { job: 'close_windows' }))
    await bodyOf(200, namespace.call('PATCH', '/v1/accounts/a', { timezone: 'Asia/Tokyo' }))
    expect(await closed()).toEqual(before)
    expect(await windows(namespace, 'status=open')).toMatchObject([{ included_quantity: 2 }])
  })
})

describe('the export', () => {
  test('is CSV with a header, of what is closed', async () => {
    const namespace = await november()
    const entitlement = await overage(namespace, 'org_acme')
    expect(await exported(namespace)).toEqual([HEADER])
    await setClock(namespace, '2031-12-02T00:00:00Z')
    const { headers, text } = await namespace.call('GET', '/v1/billing/export')
    expect(headers.get('Content-Type')).toMatch(/^text\/csv/)
    expect(headers.get('Content-Disposition')).toBe('attachment; filename="billing.csv"')
    expect(headers.get('X-Request-Id')).toBeTruthy()
    expect(text).toBe(
      `${HEADER}\r\n${entitlement},org_acme,benchmark_runs,,calendar_month,2031-11-01T00:00:00Z,2031-12-01T00:00:00Z,closed,50,7,0,10,7,70,2031-12-01T01:00:00Z\r\n`,
    )
  })

  test('as JSON lines has the items of the list', async () => {
    const namespace = await november()
    await overage(namespace, 'a')
    await bodyOf(201, meter(namespace, 'b', { resource: 'gpu_hours', quantity: 0.1 }))
    const { headers, text } = await namespace.call('GET', '/v1/billing/export?format=jsonl&status=open')
    expect(headers.get('Content-Type')).toBe('application/x-ndjson')
    expect(text.endsWith('\n')).toBe(true)
    expect(
      text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toEqual(await windows(namespace))
  })

  test.each([
    [undefined, 'text/csv'],
    ['*/*', 'text/csv'],
    ['application/x-ndjson', 'application/x-ndjson'],
    ['text/csv;q=0.5, application/x-ndjson', 'application/x-ndjson'],
    ['Application/X-NDJSON;q=0.1, TEXT/CSV', 'text/csv'],
    ['application/x-ndjson;q=0, */*', 'text/csv'],
    ['text/html', 'text/csv'],
  ])('Accept: %s gives %s', async (accept, type) => {
    const namespace = await mintNamespace()
    const headers: Record<string, string> = accept === undefined ? {} : { Accept: accept }
    const answer = await namespace.call('GET', '/v1/billing/export', undefined, { headers })
    expect(answer.headers.get('Content-Type')?.split(';')[0]).toBe(type)
    expect(answer.headers.get('Vary')).toContain('Accept')
    const asked = await namespace.call('GET', '/v1/billing/export?format=jsonl', undefined, { headers })
    expect(asked.headers.get('Content-Type')).toBe('application/x-ndjson')
    expect(await errorOf(namespace.call('GET', '/v1/billing/export?format=xml'))).toEqual(invalid('format'))
  })

  test.each([
    ['Acme, Inc. "EU"', '"Acme, Inc. ""EU"""'],
    ['=HYPERLINK("http://evil")', '"\'=HYPERLINK(""http://evil"")"'],
    ['+1', "'+1"],
    ['-cmd', "'-cmd"],
    ['@SUM(A1)', "'@SUM(A1)"],
    ['＝1', "'＝1"],
    ["it's", "it's"],
    ['plain 🦄', 'plain 🦄'],
  ])('writes %s so that nothing else comes of it', async (account, cell) => {
    const namespace = await november()
    await bodyOf(201, meter(namespace, account, { quantity: 1 }))
    const [, row] = await exported(namespace, 'status=open')
    expect(row).toBe(
      `,${cell},benchmark_runs,,calendar_month,2031-11-01T00:00:00Z,2031-12-01T00:00:00Z,open,0,0,1,1,0,0,`,
    )
    const [line = ''] = await exported(namespace, 'status=open&format=jsonl')
    expect(JSON.parse(line)).toMatchObject({ account_id: account })
  })

  test('keeps all digits of what it sums, and the sign of a credit', async () => {
    const namespace = await november()
    await grant(namespace, 'a', { quantity: null })
    await rule(namespace, 'a', { action: 'overage', overage_multiplier: 0.000003 })
    const uses = ['999999999999999', '0.000001', '999999999999999']
    for (const quantity of uses) await bodyOf(201, meter(namespace, 'a', { quantity: Number(quantity) }))
    const [line = ''] = await exported(namespace, 'status=open&format=jsonl')
    expect(line).toContain('"billable_quantity": 1999999999999998.000001')
    expect(line).toContain('"billable_amount": 5999999999.999994000003')
    const [, row = ''] = await exported(namespace, 'status=open')
    expect(row.split(',').slice(8, 14)).toEqual([
      '1999999999999998.000001',
      '0',
      '0',
      '0.000003',
      '1999999999999998.000001',
      '5999999999.999994000003',
    ])
  })

  /** 2500 closed windows: three pages. They are of no entry: cron, which goes through all namespaces, must not find them. */
  async function manyWindows(): Promise<Namespace> {
    const namespace = await november()
    const account = mintAccount()
    onTestFinished(async () => {
      await sql(
        `delete from entitlement_windows where window_start = '2001-01-01Z'
         and account_id = (select account_id from accounts where external_id = $1)`,
        [account],
      )
    })
    await bodyOf(201, meter(namespace, account, { quantity: 1 }))
    await sql(
      `insert into entitlement_windows (account_id, resource_type_code, window_end, bucket_id, window_start, used, included_quantity,
         overage_quantity, excess_quantity, billable_quantity, billable_amount)
       select account_id, resource_type_code, timestamptz '2001-01-01Z' + n * interval '1 day', gen_random_uuid(), timestamptz '2001-01-01Z', n, n, 0, 0, 0, 0
       from resource_state, generate_series(1, 2500) n
       where account_id = (select account_id from accounts where external_id = $1)`,
      [account],
    )
    return namespace
  }

  test('streams: page by page, as they are taken', async () => {
    const namespace = await manyWindows()
    const url = 'https://mec.test/v1/billing/export?format=jsonl'
    const headers = { Authorization: `Bearer ${namespace.key}` }
    let chunks: string[] = []
    const read = await countRequests(async () => {
      const response = await exports.default.fetch(url, { headers })
      chunks = (await response.text()).trimEnd().split('\n')
    })
    expect(read.neon).toBe(3)
    expect(chunks.map((line) => JSON.parse(line).included_quantity)).toEqual(
      Array.from({ length: 2500 }, (_, n) => 2500 - n),
    )
    // Whoever stops reading stops it.
    const stopped = await countRequests(async () => {
      const response = await exports.default.fetch(url, { headers })
      await response.body?.cancel()
    })
    expect(stopped.neon).toBeLessThan(3)
  })

  test('is broken off when something goes wrong on the way: half a file is no file', async () => {
    const namespace = await manyWindows()
    const headers = { Authorization: `Bearer ${namespace.key}` }
    const response = await exports.default.fetch('https://mec.test/v1/billing/export', { headers })
    expect(response.status).toBe(200)
    await breakPostgres({ error: { status: 500 } })
    await expect(response.text()).rejects.toThrow()
  })

  test('has a HEAD, too', async () => {
    const namespace = await mintNamespace()
    const { status, headers, text } = await namespace.call('HEAD', '/v1/billing/export')
    expect([status, headers.get('Content-Type')?.split(';')[0], text]).toEqual([200, 'text/csv', ''])
  })
})

/** The guide's chapters on pricing, to the unit. */
describe('pricing', () => {
  test('2.1 pay as you go: unlimited, every run is billed', async () => {
    const namespace = await november()
    await grant(namespace, 'customer', { quantity: null, unit: 'count', window: 'calendar_month' })
    await rule(namespace, null, { action: 'overage' })
    const run = { ...key(), idempotency_key: 'run_12345', quantity: 1, unit: 'count' }
    await bodyOf(201, meter(namespace, 'customer', run))
    await bodyOf(200, meter(namespace, 'customer', run))
    await bodyOf(201, consume(namespace, 'customer', { quantity: 41 }))
    const [, row = ''] = await exported(namespace, 'status=open')
    expect(row.split(',').slice(7, 14)).toEqual(['open', '42', '0', '0', '1', '42', '42'])
  })

  test('2.2 included allowance + overage: 50 runs, then 10 a run', async () => {
    const namespace = await november()
    const entitlements = [
      { resource: 'benchmark_runs', limit_kind: 'cumulative', quantity: 50, unit: 'count', window: 'calendar_month' },
    ]
    await bodyOf(200, namespace.call('PUT', '/v1/plans/starter-50', { name: 'Starter', entitlements }))
    await rule(namespace, null, { action: 'overage', warn_at_percent: 80, overage_multiplier: 10 })
    for (const account of ['a', 'b', 'c'])
      await bodyOf(
        201,
        namespace.call('POST', `/v1/accounts/${account}/subscriptions`, { ...key(), plan_id: 'starter-50' }),
      )
    for (const [account, quantity] of [
      ['a', 49],
      ['b', 50],
      ['c', 57],
    ] as const)
      for (let n = 0; n < quantity; n += 7)
        await bodyOf(201, consume(namespace, account, { quantity: Math.min(7, quantity - n) }))
    await setClock(namespace, '2031-12-02T00:00:00Z')
    const rows = (await exported(namespace)).slice(1).map((row) => row.split(','))
    expect(rows.map(([, account, ...cells]) => [account, ...cells.slice(6, 12)]).sort()).toEqual([
      ['a', '49', '0', '0', '10', '0', '0'],
      ['b', '50', '0', '0', '10', '0', '0'],
      ['c', '50', '7', '0', '10', '7', '70'],
    ])
  })

  test('2.3 tiers: an entitlement each, drawn on by priority, each at your price of it', async () => {
    const namespace = await november()
    const tiers = [
      { quantity: 1000, price: 0.05 },
      { quantity: 9000, price: 0.04 },
      { quantity: null, price: 0.03 },
    ]
    const prices = new Map<unknown, number>()
    for (const [n, { quantity, price }] of tiers.entries()) {
      const tier = await grant(namespace, 'emil', { quantity, priority: n + 1, window: 'calendar_month' })
      prices.set(tier['entitlement_id'], price)
    }
    for (const quantity of [600, 600, 10_000, 800]) await bodyOf(201, consume(namespace, 'emil', { quantity }))
    await setClock(namespace, '2031-12-02T00:00:00Z')
    const items = (await exported(namespace, 'format=jsonl')).map((line) => JSON.parse(line))
    const bill = items.map((item) => [
      item.included_quantity,
      item.included_quantity * (prices.get(item.entitlement_id) ?? 0),
    ])
    expect(bill.sort(([left], [right]) => left - right)).toEqual([
      [1000, 50],
      [2000, 60],
      [9000, 360],
    ])
  })

  test('tiers whose last is pay as you go: only that one is billed', async () => {
    const namespace = await november()
    for (const [priority, quantity] of [1000, 4000, null].entries())
      await grant(namespace, 'a', { quantity, priority, window: 'calendar_month' })
    await rule(namespace, null, { action: 'overage', overage_multiplier: 0.03 })
    for (const quantity of [600, 600, 4000, 123]) await bodyOf(201, meter(namespace, 'a', { quantity }))
    expect(
      (await windows(namespace))
        .map((item) => [item['included_quantity'], item['billable_quantity'], item['billable_amount']])
        .sort(([left], [right]) => Number(left) - Number(right)),
    ).toEqual([
      // 323 × 0.03
      [323, 323, 9.69],
      [1000, 0, 0],
      [4000, 0, 0],
    ])
  })

  test('an add-on is drawn on after the plan, and what is over both is billed with the last', async () => {
    const namespace = await november()
    await grant(namespace, 'a', { quantity: 50, priority: 1, window: 'calendar_month' })
    await grant(namespace, 'a', { quantity: 25, priority: 2, window: 'calendar_month' })
    await rule(namespace, null, { action: 'overage', overage_multiplier: 10 })
    await bodyOf(201, meter(namespace, 'a', { quantity: 80 }))
    expect(
      (await windows(namespace)).map((item) => [item['included_quantity'], item['billable_amount']]).sort(),
    ).toEqual([
      [25, 50],
      [50, 0],
    ])
  })
})
