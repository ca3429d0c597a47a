import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { checkWhen, grant, meter, setClock } from '../../support/commands.ts'
import { api, mintAccount, mintNamespace, sql, token } from '../../support/sql.ts'

const DAY = 86_400_000
const NOW = Date.parse('2031-05-01T12:34:56.789Z')

/** Everything may be reported at any time: these tests are about what counts, not about late arrivals. */
async function namespaceAtNow(): Promise<string> {
  const namespace = await mintNamespace()
  await sql("update namespaces set late_arrival_grace = '10 years' where namespace_id = $1", [namespace])
  await setClock(namespace, new Date(NOW).toISOString())
  return namespace
}

describe('rolling_30d is exact to the event', () => {
  it.each([
    '2031-04-10T10:00:00.000Z',
    '2031-04-10T10:14:59.999Z',
    '2031-04-10T10:15:00.000Z',
    '2031-04-10T00:00:00.000Z',
    '2031-04-10T23:59:59.999Z',
    '2031-04-10T10:07:30.500Z',
  ])('a use at %s counts until 30 days less 1 ms later', async (occurred_at) => {
    const namespace = await namespaceAtNow()
    const account = mintAccount()
    await grant(account, { window: 'rolling_30d', effective_start: '2031-01-01T00:00:00Z' }, namespace)
    await meter(account, { quantity: 7, occurred_at }, namespace)
    const used = async (ms: number) => {
      const now = new Date(Date.parse(occurred_at) + ms).toISOString()
      return (await checkWhen(now, account, {}, namespace))['used']
    }
    expect([await used(-1), await used(0), await used(1)]).toEqual([0, 7, 7])
    expect([await used(30 * DAY - 1), await used(30 * DAY), await used(30 * DAY + 1)]).toEqual([7, 0, 0])
  })

  it('shows no end, and starts 30 days ago', async () => {
    const namespace = await namespaceAtNow()
    const account = mintAccount()
    await grant(account, { window: 'rolling_30d', effective_start: '2031-01-01T00:00:00Z' }, namespace)
    expect(await checkWhen('2031-05-01T00:00:00Z', account, {}, namespace)).toMatchObject({
      window: { type: 'rolling_30d', start: '2031-04-01T00:00:00Z', end: null },
    })
  })
})

/** Instants at, just before and just after the edges of quarters of an hour and days, and anywhere. */
const moment = fc
  .tuple(fc.integer({ min: 0, max: 75 * 96 }), fc.constantFrom(0, 0, 1, -1, 1_000, 412_345, 899_999))
  .map(([quarter, ms]) => Math.floor(NOW / 900_000) * 900_000 - quarter * 900_000 + ms)
  .filter((instant) => instant <= NOW)

const history = fc.array(fc.record({ occurred: moment, millionths: fc.integer({ min: 1, max: 5_000_000 }) }), {
  minLength: 1,
  maxLength: 25,
})

it.each([
  ['rolling_30d', 30 * DAY],
  ['rolling_7d', 7 * DAY],
  ['rolling_24h', DAY],
])('%s equals the sum over (now − period, now] of any history', async (window, period) => {
  const namespace = await namespaceAtNow()
  await fc.assert(
    fc.asyncProperty(history, fc.array(moment, { minLength: 1, maxLength: 4 }), async (uses, whens) => {
      const account = mintAccount()
      await grant(account, { window, quantity: 1_000_000, effective_start: '2030-01-01T00:00:00Z' }, namespace)
      const entries = uses.map(({ occurred, millionths }, n) => ({
        idempotency_key: `use-${n}`,
        account_id: account,
        resource: 'benchmark_runs',
        quantity: millionths / 1e6,
        occurred_at: new Date(occurred).toISOString(),
      }))
      await api('api_meter_batch', { entries }, token(namespace))
      // A period after each use, too: the edge at which it leaves.
      for (const when of [
        ...whens,
        ...uses.slice(0, 2).flatMap((use) => [use.occurred + period - 1, use.occurred + period]),
      ]) {
        const expected = uses
          .filter((use) => use.occurred > when - period && use.occurred <= when)
          .reduce((sum, use) => sum + use.millionths, 0)
        const decision = await checkWhen(new Date(when).toISOString(), account, {}, namespace)
        expect(decision['used']).toBe(expected / 1e6)
        expect(
          await checkWhen(new Date(NOW).toISOString(), account, { at: new Date(when).toISOString() }, namespace),
        ).toMatchObject({
          used: expected / 1e6,
        })
      }
    }),
    { seed: 20261121, numRuns: 30 },
  )
})
