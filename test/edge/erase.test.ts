import { describe, expect, test } from 'vitest'
import { mintNamespace, mintToken, type Namespace, redis, sql } from '../support/edge.ts'
import { acquire, assign, bodyOf, consume, errorOf, grant, INSTANT } from '../support/edge-commands.ts'

const pathOf = (account: string) => `/v1/accounts/${encodeURIComponent(account)}`
const erase = (namespace: Namespace, account: string) => namespace.call('POST', `${pathOf(account)}/erase`)

/** An account whose string, holder, item and metadata are personal. */
async function person() {
  const [namespace, mark] = [await mintNamespace(), `mark${crypto.randomUUID()}`]
  const account = `${mark}@example.org`
  await grant(namespace, account, { metadata: { [mark]: 1 } })
  await grant(namespace, account, { resource: 'concurrent_users', limit_kind: 'concurrency', quantity: 1 })
  await grant(namespace, account, { resource: 'named_users', limit_kind: 'inventory' })
  await bodyOf(201, consume(namespace, account, { metadata: { who: mark } }))
  await bodyOf(201, acquire(namespace, account, mark))
  await bodyOf(201, assign(namespace, account, mark))
  await bodyOf(200, namespace.call('PATCH', pathOf(account), { name: mark }))
  return { namespace, account, mark }
}

/** What Redis has of a namespace with a text in it: keys, and what is under them. */
async function inRedis(namespace: string, text: string): Promise<string[]> {
  const keys = await redis('KEYS', `*:${namespace}:*`)
  const found: string[] = []
  for (const key of Array.isArray(keys) ? keys.map(String) : []) {
    if (String(await redis('GET', key)).includes(text) || key.includes(text)) found.push(key)
  }
  return found
}

describe('erase', () => {
  test('says what it erased, again and again', async () => {
    const { namespace, account } = await person()
    const first = await bodyOf(200, erase(namespace, account))
    expect(first).toEqual({
      ...{ account_id: account, erased_at: INSTANT, complete: true },
      ...{ ledger_details: 2, leases: 1, items: 1, entitlements: 1, audit_details: expect.any(Number) },
    })
    const again = await bodyOf(200, erase(namespace, account))
    expect(again).toEqual({
      ...first,
      ...{ ledger_details: 0, leases: 0, items: 0, entitlements: 0, audit_details: 0 },
    })
  })

  test('leaves nothing personal in any answer', async () => {
    const { namespace, account, mark } = await person()
    await bodyOf(200, erase(namespace, account))
    for (const path of ['/v1/ledger', '/v1/leases', '/v1/inventory', '/v1/audit', '/v1/rules', '/v1/billing/windows']) {
      expect((await namespace.call('GET', path)).text).not.toContain(mark)
    }
    expect(await bodyOf(200, namespace.call('GET', pathOf(account)))).toMatchObject({ name: null, metadata: {} })
    const trail = await bodyOf(200, namespace.call('GET', '/v1/audit?action=erase'))
    expect(trail['data']).toMatchObject([
      { object_type: 'account', actor: expect.stringMatching(/^key:/), erased: true },
    ])
  })

  test('empties what Redis has of the account at once, and its name is gone within seconds', async () => {
    const { namespace, account, mark } = await person()
    const check = { account_id: account, resource: 'benchmark_runs' }
    await bodyOf(200, namespace.call('POST', '/v1/check', check))
    // Denied: so the edge knows who holds the seat.
    await bodyOf(200, acquire(namespace, account, 'another'))
    await expect.poll(() => inRedis(namespace.name, mark)).not.toEqual([])
    const { status, headers } = await erase(namespace, account)
    expect([status, headers.get('MEC-Propagation')]).toEqual([200, null])
    for (const key of await inRedis(namespace.name, mark)) {
      // A version, without which what is still on its way would be stored again; and the string only in the name.
      const value = String(await redis('GET', key))
      expect(value.split('\n').slice(1)).toEqual([''])
      expect(Number(await redis('PTTL', key))).toBeLessThanOrEqual(10_000)
    }
    expect(await bodyOf(200, namespace.call('POST', '/v1/check', check))).toMatchObject({ allowed: true, used: 1 })
  })

  test('is for admins, of one account only for itself', async () => {
    const { namespace, account } = await person()
    const as = async (scope: string, sub?: string) => {
      const bearer = await mintToken(namespace.name, scope, sub === undefined ? {} : { sub })
      return namespace.call('POST', `${pathOf(account)}/erase`, undefined, { bearer })
    }
    expect(await errorOf(as('meter'))).toMatchObject({ status: 403, code: 'missing_scope' })
    expect(await errorOf(as('admin', 'another'))).toMatchObject({ status: 403, code: 'account_forbidden' })
    await bodyOf(200, as('admin', account))
  })

  test('of another namespace’s account does nothing', async () => {
    const { account } = await person()
    const other = await mintNamespace()
    expect(await bodyOf(200, erase(other, account))).toMatchObject({ erased_at: null, ledger_details: 0 })
    const rows = await sql('select account_name from accounts where external_id = $1 and account_name is not null', [
      account,
    ])
    expect(rows.length).toBe(1)
  })
})
