import { describe, expect, test } from 'vitest'
import { mintAccount, mintNamespace } from '../support/edge.ts'
import { bodyOf, check, consume, errorOf, grant, INSTANT, invalid, setClock } from '../support/edge-commands.ts'
import { textAt } from '../support/json-path.ts'

describe('the clock of a sandbox', () => {
  test('moves forward, runs on, and returns', async () => {
    const namespace = await mintNamespace()
    const clock = (method: string, body?: unknown) => bodyOf(200, namespace.call(method, '/v1/test_clock', body))
    const real = await clock('GET')
    expect(real).toEqual({ now: INSTANT, frozen: false })
    expect(Math.abs(Date.parse(textAt(real, 'now')) - Date.now())).toBeLessThan(60_000)
    expect(await clock('POST', { now: '2037-01-31T00:00:00+01:00' })).toEqual({
      now: expect.stringMatching(/^2037-01-30T23:00:00/),
      frozen: false,
    })
    expect(await clock('POST', { advance_seconds: 3600 })).toMatchObject({
      now: expect.stringMatching(/^2037-01-31T00:0/),
    })
    expect(await clock('POST', { advance_seconds: 0 })).toMatchObject({
      now: expect.stringMatching(/^2037-01-31T00:0/),
    })
    const [first, second] = [textAt(await clock('GET'), 'now'), textAt(await clock('GET'), 'now')]
    expect(second > first).toBe(true)
    const cleared = await clock('DELETE')
    expect(Math.abs(Date.parse(textAt(cleared, 'now')) - Date.now())).toBeLessThan(60_000)
  })

  test('is followed by windows', async () => {
    const namespace = await mintNamespace()
    const account = mintAccount()
    await setClock(namespace, '2037-01-31T23:59:00Z')
    await grant(namespace, account, { window: 'calendar_month' })
    await bodyOf(201, consume(namespace, account))
    expect(await check(namespace, account)).toMatchObject({ used: 1, window: { start: '2037-01-01T00:00:00Z' } })
    await setClock(namespace, '2037-02-01T00:00:00Z')
    expect(await check(namespace, account)).toMatchObject({ used: 0, window: { start: '2037-02-01T00:00:00Z' } })
  })

  test.each([
    ['back', { now: '2037-01-01T00:00:00Z' }],
    ['back by seconds', { advance_seconds: -1 }],
    ['nowhere', {}],
    ['both ways', { now: '2038-01-01T00:00:00Z', advance_seconds: 1 }],
    ['by half a second', { advance_seconds: 0.5 }],
    ['beyond a hundred years', { advance_seconds: 3_155_760_001 }],
    ['to no time', { now: 'tomorrow' }],
    ['beyond a hundred years in two steps', { now: '2500-01-01T00:00:00Z' }],
    ['to be frozen', { now: '2038-01-01T00:00:00Z', frozen: true }],
  ])('does not go %s', async (_, body) => {
    const namespace = await mintNamespace()
    await setClock(namespace, '2037-01-02T00:00:00Z')
    expect(await errorOf(namespace.call('POST', '/v1/test_clock', body))).toMatchObject({
      ...invalid(null),
      param: expect.toSatisfy(() => true),
    })
  })
})

test.each([
  ['GET', undefined],
  ['POST', { advance_seconds: 1 }],
  ['DELETE', undefined],
])('%s is refused outside a sandbox', async (method, body) => {
  const namespace = await mintNamespace({ sandbox: false })
  const expected = { status: 403, type: 'permission', code: 'not_sandbox', param: null }
  expect(await errorOf(namespace.call(method, '/v1/test_clock', body))).toEqual(expected)
})
