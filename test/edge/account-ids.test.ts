import { expect, test } from 'vitest'
import { call, devKey, mintNamespace, mintToken } from '../support/edge.ts'
import { acquire, bodyOf, check, consume, errorOf, grant, invalid, key, meter } from '../support/edge-commands.ts'
import { listAt, textAt } from '../support/json-path.ts'

test.each([
  ['spaces', 'org acme  2'],
  ['a slash', 'org/acme/1'],
  ['unicode', 'Ünï-コード-🦄'],
  ['what URLs use', 'a?b=c&d#e+f%20;g'],
  ['quotes and backslashes', `a"b'c\\d`],
  ['a name of a prototype', '__proto__'],
  ['an e-mail address', 'jane@example.com'],
  ['the longest', '🦄'.repeat(255)],
  ['a combining accent', 'e\u0301'],
])('an id with %s comes back everywhere as it was written', async (_, account) => {
  const namespace = await mintNamespace()
  const path = `/v1/accounts/${encodeURIComponent(account)}`
  const echoed = { account_id: account }
  expect(await grant(namespace, account)).toMatchObject(echoed)
  await grant(namespace, account, { resource: 'concurrent_users', limit_kind: 'concurrency', quantity: 1 })
  expect(await check(namespace, account)).toMatchObject({ ...echoed, allowed: true })
  expect(await bodyOf(201, consume(namespace, account))).toMatchObject({ ...echoed, entry: echoed })
  expect(await bodyOf(201, meter(namespace, account))).toMatchObject({ entry: echoed })
  const lease = await bodyOf(201, acquire(namespace, account, 'h'))
  expect(lease).toMatchObject({ ...echoed, lease: echoed })
  expect(await bodyOf(200, acquire(namespace, account, 'i'))).toMatchObject({ holders: [echoed] })
  expect(await bodyOf(200, namespace.call('GET', `/v1/leases/${textAt(lease, 'lease.lease_id')}`))).toMatchObject({
    lease: echoed,
  })
  expect(
    await bodyOf(200, namespace.call('GET', `/v1/ledger?account_id=${encodeURIComponent(account)}`)),
  ).toMatchObject({ data: [echoed, echoed] })
  expect(await bodyOf(200, namespace.call('GET', '/v1/ledger'))).toMatchObject({ data: [echoed, echoed] })
  expect(await bodyOf(200, namespace.call('GET', `${path}/entitlements`))).toMatchObject({ data: [echoed, echoed] })
  await bodyOf(200, namespace.call('PUT', '/v1/plans/p', { name: 'P' }))
  expect(await bodyOf(201, namespace.call('POST', `${path}/subscriptions`, { ...key(), plan_id: 'p' }))).toMatchObject({
    subscription: echoed,
  })
  expect(await bodyOf(200, namespace.call('GET', `${path}/subscriptions`))).toMatchObject({ data: [echoed] })
  const rule = { resource: 'benchmark_runs', limit_kind: 'cumulative', action: 'warn' }
  expect(await bodyOf(201, namespace.call('POST', '/v1/rules', { ...rule, ...echoed }))).toMatchObject(echoed)
  const bearer = await mintToken(namespace.name, 'read', { sub: account })
  expect(
    listAt(await bodyOf(200, namespace.call('GET', `${path}/entitlements`, undefined, { bearer })), 'data'),
  ).toHaveLength(2)
})

test.each([
  ['empty', ''],
  ['too long', 'a'.repeat(256)],
  ['with a line break', 'a\nb'],
  ['with NUL', 'a\u0000'],
  ['with half a surrogate pair', 'a\ud83e'],
])('an id that is %s is refused', async (_, account_id) => {
  const namespace = await mintNamespace()
  expect(await errorOf(namespace.call('POST', '/v1/check', { account_id, resource: 'benchmark_runs' }))).toEqual(
    invalid('account_id'),
  )
})

test.each([[17], [null], [['a']], [{ id: 'a' }], [true]])('the id %j is refused', async (account_id) => {
  const namespace = await mintNamespace()
  expect(await errorOf(namespace.call('POST', '/v1/check', { account_id, resource: 'benchmark_runs' }))).toEqual(
    invalid('account_id'),
  )
})

test('ids that differ in case or in their bytes are different accounts', async () => {
  const namespace = await mintNamespace()
  await grant(namespace, 'Acme')
  await grant(namespace, 'é')
  expect(await check(namespace, 'Acme')).toMatchObject({ allowed: true })
  for (const other of ['acme', 'Acme ', ' Acme', 'e\u0301'])
    expect(await check(namespace, other)).toMatchObject({ allowed: false })
})

test('one id is another account in each namespace', async () => {
  const [one, two] = [await mintNamespace(), await mintNamespace()]
  await grant(one, 'acme')
  expect(await check(two, 'acme')).toMatchObject({ allowed: false, reason: 'no_entitlement' })
})

test('a raw UUID is one account, however it is written; answers say it as it was', async () => {
  const lower = crypto.randomUUID()
  const upper = lower.toUpperCase()
  const grantBody = { account_id: upper, resource: 'ai_models', limit_kind: 'cumulative', quantity: 1 }
  expect(await bodyOf(201, call('POST', '/v1/entitlements', grantBody, { bearer: devKey }))).toMatchObject({
    account_id: upper,
  })
  for (const account_id of [lower, upper]) {
    const question = { account_id, resource: 'ai_models', max_staleness_ms: 0 }
    expect(await bodyOf(200, call('POST', '/v1/check', question, { bearer: devKey }))).toMatchObject({
      account_id,
      allowed: true,
    })
    const listed = await bodyOf(
      200,
      call('GET', `/v1/accounts/${account_id}/entitlements`, undefined, { bearer: devKey }),
    )
    expect(listed).toMatchObject({ data: [{ account_id }] })
  }
})

test('a UUID is text like any other where the namespace does not take it raw', async () => {
  const namespace = await mintNamespace()
  const lower = crypto.randomUUID()
  await grant(namespace, lower)
  expect(await check(namespace, lower)).toMatchObject({ account_id: lower, allowed: true })
  expect(await check(namespace, lower.toUpperCase())).toMatchObject({ allowed: false })
})
