import { describe, expect, test } from 'vitest'
import { call, mintAccount, mintNamespace, mintToken, type Namespace } from '../support/edge.ts'
import { bodyOf, errorOf, grant, invalid, key, meter, rule, setClock } from '../support/edge-commands.ts'
import { at, listAt, textAt } from '../support/json-path.ts'

const ASKED = {
  account_id: 'a',
  resource: 'benchmark_runs',
  granularity: 'day',
  from: '2027-01-01T00:00:00Z',
  to: '2027-01-04T00:00:00Z',
}

const usage = (namespace: Namespace, asked: Record<string, string | undefined>) => {
  const given = Object.entries({ ...ASKED, ...asked }).filter((pair): pair is [string, string] => pair[1] !== undefined)
  return namespace.call('GET', `/v1/usage?${new URLSearchParams(given)}`)
}

async function recorded() {
  const namespace = await mintNamespace()
  const account = mintAccount()
  await setClock(namespace, '2027-01-10T12:00:00Z')
  await grant(namespace, account, { effective_start: '2026-01-01T00:00:00Z' })
  await rule(namespace, account, { action: 'overage' })
  const entries = []
  for (const [occurred_at, quantity] of [
    ['2026-12-31T23:59:59.999Z', 1],
    ['2027-01-01T00:00:00Z', 90.5],
    ['2027-01-03T23:30:00Z', 20],
    ['2027-01-04T00:00:00Z', 40],
  ] as const) {
    const metered = await bodyOf(201, meter(namespace, account, { occurred_at, quantity }))
    entries.push(textAt(metered, 'entry.entry_id'))
  }
  return { namespace, account, entries }
}

describe('GET /v1/usage', () => {
  test('by day, by occurred_at, empty days included', async () => {
    const { namespace, account } = await recorded()
    expect(await bodyOf(200, usage(namespace, { account_id: account }))).toEqual({
      data: [
        { start: '2027-01-01T00:00:00Z', end: '2027-01-02T00:00:00Z', quantity: 90.5, overage_quantity: 0 },
        { start: '2027-01-02T00:00:00Z', end: '2027-01-03T00:00:00Z', quantity: 0, overage_quantity: 0 },
        { start: '2027-01-03T00:00:00Z', end: '2027-01-04T00:00:00Z', quantity: 20, overage_quantity: 11.5 },
      ],
    })
  })

  test('by hour and by month, the first and last cut off at from and to', async () => {
    const { namespace, account } = await recorded()
    const hours = { granularity: 'hour', from: '2027-01-03T22:10:00Z', to: '2027-01-03T23:30:00.001Z' }
    expect(await bodyOf(200, usage(namespace, { account_id: account, ...hours }))).toEqual({
      data: [
        { start: '2027-01-03T22:10:00Z', end: '2027-01-03T23:00:00Z', quantity: 0, overage_quantity: 0 },
        { start: '2027-01-03T23:00:00Z', end: '2027-01-03T23:30:00.001Z', quantity: 20, overage_quantity: 11.5 },
      ],
    })
    const months = { granularity: 'month', from: '2026-12-15T00:00:00Z', to: '2027-02-01T00:00:00Z' }
    expect(await bodyOf(200, usage(namespace, { account_id: account, ...months }))).toMatchObject({
      data: [
        { start: '2026-12-15T00:00:00Z', end: '2027-01-01T00:00:00Z', quantity: 1 },
        { start: '2027-01-01T00:00:00Z', end: '2027-02-01T00:00:00Z', quantity: 150.5 },
      ],
    })
  })

  test('in the timezone asked for', async () => {
    const { namespace, account } = await recorded()
    const berlin = { timezone: 'Europe/Berlin', from: '2027-01-02T23:00:00Z', to: '2027-01-04T23:00:00Z' }
    expect(await bodyOf(200, usage(namespace, { account_id: account, ...berlin }))).toMatchObject({
      data: [
        { start: '2027-01-02T23:00:00Z', quantity: 0 },
        { start: '2027-01-03T23:00:00Z', quantity: 60 },
      ],
    })
  })

  test('net of reversals', async () => {
    const { namespace, account, entries } = await recorded()
    const send = { ...key(), quantity: 12 }
    await bodyOf(201, namespace.call('POST', `/v1/ledger/${entries[2]}/reverse`, send))
    const body = await bodyOf(200, usage(namespace, { account_id: account }))
    expect(at(body, 'data.2')).toMatchObject({ quantity: 8, overage_quantity: 0 })
  })

  test('a year by day, and a month by hour', async () => {
    const namespace = await mintNamespace()
    const count = async (asked: Record<string, string>) =>
      listAt(await bodyOf(200, usage(namespace, asked)), 'data').length
    expect(await count({ from: '2028-01-01T00:00:00Z', to: '2029-01-01T00:00:00Z' })).toBe(366)
    expect(await count({ granularity: 'hour', to: '2027-02-01T00:00:00Z' })).toBe(744)
  })

  test('shows nothing of another account, nor of the same one in another namespace', async () => {
    const { account } = await recorded()
    const namespace = await mintNamespace()
    for (const account_id of [account, 'nobody'])
      expect(
        listAt(await bodyOf(200, usage(namespace, { account_id })), 'data').map((period) => at(period, 'quantity')),
      ).toEqual([0, 0, 0])
  })

  test('needs the scope read', async () => {
    const namespace = await mintNamespace()
    const bearer = await mintToken(namespace.name, 'meter')
    const answer = call('GET', `/v1/usage?${new URLSearchParams(ASKED)}`, undefined, { bearer })
    expect(await errorOf(answer)).toMatchObject({ status: 403, code: 'missing_scope' })
  })

  test.each([
    ...['account_id', 'resource', 'granularity', 'from', 'to'].map((name) => [{ [name]: undefined }, name] as const),
    [{ granularity: 'week' }, 'granularity'],
    [{ from: 'yesterday' }, 'from'],
    [{ to: '2027-01-01' }, 'to'],
    [{ to: ASKED.from }, 'to'],
    [{ to: '2026-01-01T00:00:00Z' }, 'to'],
    [{ to: '2030-01-01T00:00:00Z' }, 'to'],
    [{ granularity: 'hour', to: '2027-03-01T00:00:00Z' }, 'to'],
    [{ timezone: 'Europe/Atlantis' }, 'timezone'],
    [{ timezone: 'CEST' }, 'timezone'],
    [{ timezone: '' }, 'timezone'],
    [{ tz: 'UTC' }, 'tz'],
  ] as const)('refuses %j', async (asked, param) => {
    expect(await errorOf(usage(await mintNamespace(), asked))).toEqual(invalid(param))
  })

  test('refuses an unknown resource', async () => {
    expect(await errorOf(usage(await mintNamespace(), { resource: 'unicorns' }))).toEqual({
      ...invalid('resource'),
      code: 'unknown_resource',
    })
  })
})
