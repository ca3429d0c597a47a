import { describe, expect, test } from 'vitest'
import type { RateLimiter } from '../../functions/http/rate-limit.ts'
import { call, mintAccount, mintNamespace, mintToken } from '../support/edge.ts'
import { errorOf, grant } from '../support/edge-commands.ts'
import { startIsolate } from '../support/edge-isolate.ts'

const LIMITED = { status: 429, type: 'rate_limited', code: 'rate_limited', param: null }

/** Counts as the platform's binding does, without its clock. */
function limiterOf(most: number): RateLimiter & { readonly keys: Map<string, number> } {
  const keys = new Map<string, number>()
  return {
    keys,
    async limit({ key }) {
      keys.set(key, (keys.get(key) ?? 0) + 1)
      return { success: (keys.get(key) ?? 0) <= most }
    },
  }
}

describe('requests per key', () => {
  test('too many of one key or token are 429 with Retry-After; another is not held up', async () => {
    const namespace = await mintNamespace()
    const account_id = mintAccount()
    await grant(namespace, account_id, { quantity: 10 })
    const limiter = limiterOf(2)
    const limiters = { requestsPerKey: limiter, failedAuthPerAddress: undefined }
    const isolate = startIsolate({ limiters })
    const body = { account_id, resource: 'benchmark_runs' }
    for (const bearer of [
      namespace.key,
      namespace.token,
      await mintToken(namespace.name, 'check', { sub: account_id }),
    ]) {
      for (let turn = 0; turn < 2; turn++) {
        expect((await isolate.call('POST', '/v1/check', body, bearer)).status).toBe(200)
      }
      const reply = isolate.call('POST', '/v1/check', body, bearer)
      expect(await errorOf(reply)).toEqual(LIMITED)
      expect((await reply).headers.get('Retry-After')).toBe('60')
    }
    await isolate.settled()
    // The key itself is in no counter.
    expect([...limiter.keys.keys()].some((key) => key.includes(namespace.key))).toBe(false)
  })
})

describe('failed authentication per address', () => {
  test('too many are 429; who is authenticated is not counted', async () => {
    const namespace = await mintNamespace()
    const limiter = limiterOf(3)
    const isolate = startIsolate({ limiters: { requestsPerKey: undefined, failedAuthPerAddress: limiter } })
    const body = { account_id: 'a', resource: 'benchmark_runs' }
    const from = (address: string, bearer: string) =>
      isolate.call('POST', '/v1/check', body, bearer, { 'CF-Connecting-IP': address })
    for (let turn = 0; turn < 3; turn++) expect((await from('192.0.2.1', 'made-up')).status).toBe(401)
    const reply = from('192.0.2.1', 'made-up')
    expect(await errorOf(reply)).toEqual(LIMITED)
    expect((await reply).headers.get('Retry-After')).toBe('60')
    expect((await from('192.0.2.2', 'made-up')).status).toBe(401)
    expect((await from('192.0.2.1', namespace.token)).status).toBe(200)
    await isolate.settled()
  })
})

test('the bindings of wrangler.toml are there and let the tests pass', async () => {
  const namespace = await mintNamespace()
  const headers = { 'CF-Connecting-IP': '192.0.2.77' }
  const statuses = new Set<number>()
  for (let turn = 0; turn < 301; turn++) {
    statuses.add((await call('GET', '/v1/units', undefined, { bearer: 'made-up', headers })).status)
  }
  expect([...statuses]).toEqual([401, 429])
  expect((await namespace.call('GET', '/v1/units', undefined, { headers })).status).toBe(200)
})
