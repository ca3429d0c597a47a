import { expect, test } from 'vitest'
import { mintAccount, mintNamespace } from '../support/edge.ts'
import { acquire, advance, bodyOf, errorOf, grant, invalid } from '../support/edge-commands.ts'

test.each(['expire_leases', 'all'])('%s says what it did', async (job) => {
  const namespace = await mintNamespace()
  const account = mintAccount()
  await grant(namespace, account, { resource: 'concurrent_users', limit_kind: 'concurrency', quantity: 5 })
  await bodyOf(201, acquire(namespace, account, 'a', { ttl_seconds: 10 }))
  await bodyOf(201, acquire(namespace, account, 'b', { ttl_seconds: 10 }))
  await advance(namespace, 11)
  const run = () => bodyOf(200, namespace.call('POST', '/v1/maintenance/run', { job }))
  const report = (processed: number) => ({
    results: expect.arrayContaining([{ job: 'expire_leases', processed, more: false }]),
  })
  expect(await run()).toEqual(report(2))
  expect(await run()).toEqual(report(0))
  const ended = { status: 'expired' }
  expect(await bodyOf(200, namespace.call('GET', '/v1/leases'))).toMatchObject({ data: [ended, ended] })
})

test.each([
  [{}, 'job'],
  [{ job: 'everything' }, 'job'],
  [{ job: 'all', force: true }, 'force'],
])('%j is refused', async (body, param) => {
  const namespace = await mintNamespace()
  expect(await errorOf(namespace.call('POST', '/v1/maintenance/run', body))).toEqual(invalid(param))
})
