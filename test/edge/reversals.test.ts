import { describe, expect, test } from 'vitest'
import { call, mintAccount, mintNamespace, mintToken, type Namespace } from '../support/edge.ts'
import {
  bodyOf,
  check,
  errorOf,
  grant,
  INSTANT,
  invalid,
  key,
  meter,
  rule,
  setClock,
  UUID,
} from '../support/edge-commands.ts'
import { at, listAt, textAt } from '../support/json-path.ts'

async function used(quantity = 5) {
  const namespace = await mintNamespace()
  const account = mintAccount()
  await grant(namespace, account, { window: 'calendar_month' })
  const metered = await bodyOf(201, meter(namespace, account, { quantity, scope: 'us' }))
  return { namespace, account, metered, entry: textAt(metered, 'entry.entry_id') }
}

const reverse = (namespace: Namespace, entry: string, fields: object = {}, headers: Record<string, string> = {}) =>
  call('POST', `/v1/ledger/${entry}/reverse`, { ...key(), ...fields }, { bearer: namespace.key, headers })

const conflict = (code: string, param: string | null) => ({ status: 409, type: 'conflict', code, param })
const NOT_FOUND = { status: 404, type: 'not_found', code: 'not_found', param: 'entry_id' }

describe('POST /v1/ledger/{entry_id}/reverse', () => {
  test('records an entry that gives back, and shows what is left', async () => {
    const { namespace, account, metered, entry } = await used()
    const body = await bodyOf(
      201,
      reverse(namespace, entry, { idempotency_key: 'r', quantity: 3, reason: 'ran twice' }),
    )
    expect(body).toEqual({
      duplicate: false,
      state: { limit: 100, used: 2, held: 0, remaining: 98 },
      entry: {
        ...(at(metered, 'entry') as object),
        entry_id: UUID,
        idempotency_key: 'r',
        quantity: -3,
        original_quantity: -3,
        included_quantity: -3,
        recorded_at: INSTANT,
        kind: 'reversal',
        reverses: entry,
        metadata: { reason: 'ran twice' },
      },
    })
    expect(await check(namespace, account)).toMatchObject({ used: 2 })
  })

  test('of all that is left, when no quantity is given; more is over_reversal', async () => {
    const { namespace, entry } = await used()
    await bodyOf(201, reverse(namespace, entry, { quantity: 2 }))
    expect(await errorOf(reverse(namespace, entry, { quantity: 4 }))).toEqual(conflict('over_reversal', 'quantity'))
    expect(await bodyOf(201, reverse(namespace, entry))).toMatchObject({ entry: { quantity: -3 }, state: { used: 0 } })
    expect(await errorOf(reverse(namespace, entry))).toEqual(conflict('over_reversal', 'quantity'))
  })

  test('of a reversal is not_reversible', async () => {
    const { namespace, entry } = await used()
    const reversal = textAt(await bodyOf(201, reverse(namespace, entry)), 'entry.entry_id')
    expect(await errorOf(reverse(namespace, reversal))).toEqual(conflict('not_reversible', null))
  })

  test('of items that are not there any more is negative_balance', async () => {
    const namespace = await mintNamespace()
    const account = mintAccount()
    await grant(namespace, account, { limit_kind: 'inventory' })
    const entry = textAt(await bodyOf(201, meter(namespace, account, { quantity: 5 })), 'entry.entry_id')
    await bodyOf(201, meter(namespace, account, { quantity: -4 }))
    expect(await errorOf(reverse(namespace, entry, { quantity: 2 }))).toEqual(conflict('negative_balance', 'quantity'))
  })

  test('again with its key is the first result, with status 200; with another request a conflict', async () => {
    const { namespace, account, entry } = await used()
    const first = await bodyOf(201, reverse(namespace, entry, { idempotency_key: 'k' }))
    expect(await bodyOf(200, reverse(namespace, entry, { idempotency_key: 'k' }))).toEqual({
      ...first,
      duplicate: true,
    })
    const conflicts = conflict('idempotency_conflict', 'idempotency_key')
    expect(await errorOf(reverse(namespace, entry, { idempotency_key: 'k', quantity: 5 }))).toEqual(conflicts)
    expect(await errorOf(meter(namespace, account, { idempotency_key: 'k' }))).toEqual(conflicts)
  })

  test('takes its key from the header, and needs one', async () => {
    const { namespace, entry } = await used()
    const send = (headers: Record<string, string>) =>
      call('POST', `/v1/ledger/${entry}/reverse`, { quantity: 1 }, { bearer: namespace.key, headers })
    expect(await errorOf(send({}))).toEqual(invalid('idempotency_key'))
    expect(await bodyOf(201, send({ 'Idempotency-Key': 'h' }))).toMatchObject({ entry: { idempotency_key: 'h' } })
    expect(await bodyOf(200, send({ 'Idempotency-Key': 'h' }))).toMatchObject({ duplicate: true })
  })

  test('of a closed window occurs now, is late, and is a credit of the present one', async () => {
    const namespace = await mintNamespace()
    const account = mintAccount()
    await setClock(namespace, '2027-01-31T12:00:00Z')
    await grant(namespace, account, { window: 'calendar_month', effective_start: '2027-01-01T00:00:00Z' })
    const entry = textAt(await bodyOf(201, meter(namespace, account, { quantity: 5 })), 'entry.entry_id')
    await setClock(namespace, '2027-02-10T00:00:00Z')
    const body = await bodyOf(201, reverse(namespace, entry))
    expect(body).toMatchObject({ entry: { late: true }, state: { used: 0, remaining: 100 } })
    expect(at(body, 'entry.occurred_at')).toBe(at(body, 'entry.recorded_at'))
    expect(await check(namespace, account, { quantity: 101 })).toMatchObject({ used: 0, allowed: false })
  })

  test('gives overage back, and room under its cap', async () => {
    const namespace = await mintNamespace()
    const account = mintAccount()
    await grant(namespace, account)
    await rule(namespace, account, { action: 'overage', overage_cap: 10, overage_multiplier: 4 })
    const entry = textAt(await bodyOf(201, meter(namespace, account, { quantity: 112 })), 'entry.entry_id')
    expect(await bodyOf(201, reverse(namespace, entry, { quantity: 6 }))).toMatchObject({
      entry: { included_quantity: 0, overage_quantity: -4, excess_quantity: -2 },
    })
    expect(await check(namespace, account, { quantity: 4 })).toMatchObject({ reason: 'over_limit_overage' })
    expect(await check(namespace, account, { quantity: 5 })).toMatchObject({ reason: 'overage_cap_reached' })
  })

  test.each([
    [{ quantity: 0 }, invalid('quantity')],
    [{ quantity: -1 }, invalid('quantity')],
    [{ quantity: '1' }, invalid('quantity')],
    [{ quantity: 0.0000001 }, invalid('quantity')],
    [{ reason: '' }, invalid('reason')],
    [{ reason: 'x'.repeat(1001) }, invalid('reason')],
    [{ account_id: 'a' }, invalid('account_id')],
    [{ idempotency_key: '' }, invalid('idempotency_key')],
  ])('refuses %j', async (fields, error) => {
    const { namespace, entry } = await used()
    expect(await errorOf(reverse(namespace, entry, fields))).toEqual(error)
  })

  test('of what is no entry', async () => {
    const { entry } = await used()
    const namespace = await mintNamespace()
    for (const id of [entry, crypto.randomUUID()]) {
      expect(await errorOf(reverse(namespace, id))).toEqual(NOT_FOUND)
      expect(await errorOf(namespace.call('GET', `/v1/ledger/${id}`))).toEqual(NOT_FOUND)
    }
    expect(await errorOf(reverse(namespace, 'run_12345'))).toEqual(invalid('entry_id'))
    expect(await errorOf(namespace.call('GET', '/v1/ledger/run_12345'))).toEqual(invalid('entry_id'))
  })
})

test('GET /v1/ledger/{entry_id} is the entry, as it was answered and as it is listed', async () => {
  const { namespace, entry, metered } = await used()
  const reversed = await bodyOf(201, reverse(namespace, entry, { quantity: 1, reason: 'test' }))
  expect(await bodyOf(200, namespace.call('GET', `/v1/ledger/${entry}`))).toEqual(metered['entry'])
  const id = textAt(reversed, 'entry.entry_id')
  expect(await bodyOf(200, namespace.call('GET', `/v1/ledger/${id}`))).toEqual(reversed['entry'])
  const page = await bodyOf(200, namespace.call('GET', '/v1/ledger'))
  expect(listAt(page, 'data')).toEqual([reversed['entry'], metered['entry']])
})

test('read shows an entry, meter reverses it', async () => {
  const { namespace, entry } = await used()
  const missing = { status: 403, type: 'permission', code: 'missing_scope', param: null }
  const [read, metering] = [await mintToken(namespace.name, 'read'), await mintToken(namespace.name, 'meter')]
  const get = (bearer: string) => call('GET', `/v1/ledger/${entry}`, undefined, { bearer })
  const send = (bearer: string) => call('POST', `/v1/ledger/${entry}/reverse`, key(), { bearer })
  expect(await errorOf(get(metering))).toEqual(missing)
  expect(await errorOf(send(read))).toEqual(missing)
  await bodyOf(200, get(read))
  await bodyOf(201, send(metering))
})
