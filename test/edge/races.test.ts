import { expect, test } from 'vitest'
import { mintAccount, mintNamespace, type Reply, sql } from '../support/edge.ts'
import { acquire, bodyOf, check, consume, grant, key, meter } from '../support/edge-commands.ts'
import { at, listAt } from '../support/json-path.ts'

const MAX_ATTEMPTS = 20

/** What a client does: 503 is safe to try again. */
async function persistently(send: () => Promise<Reply>): Promise<Reply> {
  for (let attempt = 1; ; attempt++) {
    const reply = await send()
    if (reply.status !== 503 || attempt === MAX_ATTEMPTS) return reply
  }
}

const times = <Result>(count: number, work: (n: number) => Promise<Result>) =>
  Promise.all(Array.from({ length: count }, (_, n) => work(n)))

test('150 parallel consumes of 2 on 200: exactly 100 are allowed', async () => {
  const namespace = await mintNamespace()
  const account = mintAccount()
  await grant(namespace, account, { quantity: 200 })
  const replies = await times(150, (n) =>
    persistently(() => consume(namespace, account, { idempotency_key: `k${n}`, quantity: 2 })),
  )
  const allowed = replies.filter(({ body }) => body['allowed'] === true)
  expect(allowed).toHaveLength(100)
  expect(replies.filter(({ status, body }) => status === 200 && body['reason'] === 'limit_exceeded')).toHaveLength(50)
  expect(new Set(allowed.map(({ body }) => at(body, 'used'))).size).toBe(100)
  expect(await check(namespace, account)).toMatchObject({ used: 200, remaining: 0 })
  const [ledger] = await sql(
    'select count(*)::int as entries, sum(quantity)::int as quantity from consumption_ledger where namespace_id = $1',
    [namespace.name],
  )
  expect(ledger).toEqual({ entries: 100, quantity: 200 })
}, 30_000)

test('50 parallel leases on 5 seats: exactly 5 are granted, their fencing tokens differ', async () => {
  const namespace = await mintNamespace()
  const account = mintAccount()
  await grant(namespace, account, { resource: 'concurrent_users', limit_kind: 'concurrency', quantity: 5 })
  const replies = await times(50, (n) => persistently(() => acquire(namespace, account, `h${n}`)))
  const granted = replies.filter(({ status }) => status === 201)
  expect(granted).toHaveLength(5)
  expect(new Set(granted.map(({ body }) => at(body, 'lease.fencing_token'))).size).toBe(5)
  expect(
    replies.filter(({ status, body }) => status === 200 && body['allowed'] === false && body['lease'] === null),
  ).toHaveLength(45)
  expect(await check(namespace, account, { resource: 'concurrent_users', for: 'lease' })).toMatchObject({ used: 5 })
}, 30_000)

test('one holder 30 times in parallel: one lease', async () => {
  const namespace = await mintNamespace()
  const account = mintAccount()
  await grant(namespace, account, { resource: 'concurrent_users', limit_kind: 'concurrency', quantity: 5 })
  const replies = await times(30, () => persistently(() => acquire(namespace, account, 'me')))
  expect(new Set(replies.map(({ body }) => at(body, 'lease.lease_id'))).size).toBe(1)
  expect(replies.filter(({ status }) => status === 201)).toHaveLength(1)
}, 30_000)

test.each([
  ['consume', consume],
  ['meter', meter],
] as const)(
  'one key 50 times in parallel: one entry of %s, all answers equal up to duplicate',
  async (_, command) => {
    const namespace = await mintNamespace()
    const account = mintAccount()
    await grant(namespace, account, { quantity: 10 })
    const fields = { ...key(), quantity: 3 }
    const replies = await times(50, () => persistently(() => command(namespace, account, fields)))
    const answers = replies.map(({ body: { duplicate: _, ...answer } }) => JSON.stringify(answer))
    expect(new Set(answers).size).toBe(1)
    expect(replies.map(({ status }) => status).sort()).toEqual([...Array.from({ length: 49 }, () => 200), 201])
    expect(replies.filter(({ body }) => body['duplicate'] === false)).toHaveLength(1)
    expect(listAt(await bodyOf(200, namespace.call('GET', '/v1/ledger')), 'data')).toHaveLength(1)
  },
  30_000,
)

test('one key with two quantities, in parallel: one of them counts, the other is a conflict', async () => {
  const namespace = await mintNamespace()
  const account = mintAccount()
  await grant(namespace, account, { quantity: 100 })
  const replies = await times(20, (n) =>
    persistently(() => consume(namespace, account, { idempotency_key: 'k', quantity: 1 + (n % 2) })),
  )
  expect(replies.filter(({ status }) => status === 201)).toHaveLength(1)
  expect(replies.filter(({ status }) => status === 200)).toHaveLength(9)
  expect(replies.filter(({ status }) => status === 409)).toHaveLength(10)
}, 30_000)
