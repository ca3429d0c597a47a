import { describe, expect, test } from 'vitest'
import { breakPostgres, call, countRequests, mintNamespace } from '../support/edge.ts'

describe('what needs no credential', () => {
  test('healthz lives without any store', async () => {
    await breakPostgres({ dropBefore: {} })
    const requests = await countRequests(async () => {
      expect(await call('GET', '/healthz')).toMatchObject({ status: 200, body: { status: 'ok' } })
    })
    expect(requests).toEqual({ neon: 0, upstash: 0, commands: 0 })
  })

  test('readyz is 200 when Postgres can serve', async () => {
    expect(await call('GET', '/readyz')).toMatchObject({ status: 200, body: { status: 'ready' } })
  })

  test('readyz is 503 and names Postgres when that is gone', async () => {
    await breakPostgres({ dropBefore: {} })
    const { status, body } = await call('GET', '/readyz')
    expect(status).toBe(503)
    expect(body['error']).toMatchObject({ type: 'unavailable', message: expect.stringContaining('postgres') })
  })

  test('openapi.json describes the service', async () => {
    const { status, headers, body } = await call('GET', '/openapi.json')
    expect(status).toBe(200)
    expect(headers.get('content-type')).toContain('application/json')
    expect(body).toMatchObject({ openapi: '3.1.0', paths: { '/v1/check': { post: expect.anything() } } })
  })
})

test('a namespace of its own answers to its own key', async () => {
  const namespace = await mintNamespace()
  const requests = await countRequests(async () => {
    const { status, body } = await namespace.call('POST', '/v1/check', { account_id: 'a', resource: 'benchmark_runs' })
    expect(status).toBe(200)
    expect(body).toMatchObject({ allowed: false, reason: 'no_entitlement' })
  })
  expect(requests.neon).toBe(1)
})

test('nothing but the local servers can be reached from the tests', async () => {
  await expect(fetch('https://example.com/')).rejects.toThrow()
})
