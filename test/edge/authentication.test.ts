import { sign } from 'hono/jwt'
import { describe, expect, test } from 'vitest'
import { mintKey } from '../../functions/http/api-key.ts'
import { importHmacKey } from '../../functions/http/encoding.ts'
import {
  call,
  countRequests,
  jwtSecret,
  jwtSecretPrevious,
  keyPepper,
  mintNamespace,
  mintToken,
} from '../support/edge.ts'
import { bodyOf, errorOf } from '../support/edge-commands.ts'

const BODY = { account_id: 'a', resource: 'benchmark_runs', max_staleness_ms: 0 }
const UNAUTHENTICATED = { status: 401, type: 'authentication', code: 'unauthenticated', param: null }
const MINUTE = 60
const HOUR = 60 * MINUTE
const now = () => Math.floor(Date.now() / 1000)

const checkWith = (authorization: string | undefined) =>
  call('POST', '/v1/check', BODY, { headers: authorization === undefined ? {} : { Authorization: authorization } })

/** A key of ours to look at, of which no store knows. */
async function unknownKey(namespace: string): Promise<string> {
  const pepper = await importHmacKey(keyPepper)
  return (await mintKey(namespace, pepper, (length) => crypto.getRandomValues(new Uint8Array(length)))).secret
}

const base64 = (value: unknown) =>
  btoa(JSON.stringify(value)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')

describe('without asking Postgres', () => {
  const claims = (changes: object = {}) => ({ ns: 'default', scope: 'admin', exp: now() + HOUR, ...changes })
  const signed = (changes: object) => sign(claims(changes), jwtSecret, 'HS256')
  const made = (text: string) => Promise.resolve(text)

  test.each([
    ['no header', () => made('')],
    ['an empty token', () => made('Bearer ')],
    ['another scheme', () => made('Basic bWVjOm1lYw==')],
    ['no scheme', () => made('mec_sk_dev')],
    ['two tokens', () => made('Bearer a b')],
    ['something made up', () => made('Bearer hello')],
    ['a made-up key', () => made(`Bearer mec_sk_default_${'A'.repeat(32)}_${'0'.repeat(16)}`)],
    ['a key with its check cut off', async () => `Bearer ${(await unknownKey('default')).slice(0, -1)}`],
    ['a key moved to another namespace', async () => `Bearer ${(await unknownKey('one')).replace('_one_', '_two_')}`],
    ['a token too long', () => made(`Bearer ${'a'.repeat(5000)}`)],
    ['no JWT', () => made('Bearer a.b.c')],
    ['a JWT of two parts', async () => `Bearer ${(await signed({})).split('.').slice(0, 2).join('.')}`],
    ['a JWT of another secret', async () => `Bearer ${await sign(claims(), 'another secret', 'HS256')}`],
    ['an unsigned JWT', () => made(`Bearer ${base64({ alg: 'none', typ: 'JWT' })}.${base64(claims())}.`)],
    [
      'a JWT that says it is unsigned, with a signature',
      async () => `Bearer ${base64({ alg: 'none' })}.${(await signed({})).split('.').slice(1).join('.')}`,
    ],
    ['a JWT of HS384', async () => `Bearer ${await sign(claims(), jwtSecret, 'HS384')}`],
    ['a JWT of HS512', async () => `Bearer ${await sign(claims(), jwtSecret, 'HS512')}`],
    [
      'a JWT whose claims were changed',
      async () => {
        const [header, , signature] = (await signed({ scope: 'check' })).split('.')
        return `Bearer ${header}.${base64(claims())}.${signature}`
      },
    ],
    ['an expired JWT', async () => `Bearer ${await signed({ exp: now() - 1 })}`],
    ['a JWT of more than a day', async () => `Bearer ${await signed({ exp: now() + 24 * HOUR + MINUTE })}`],
    ['a JWT without exp', async () => `Bearer ${await signed({ exp: undefined })}`],
    ['an exp that is text', async () => `Bearer ${await signed({ exp: String(now() + HOUR) })}`],
    ['a JWT not valid yet', async () => `Bearer ${await signed({ nbf: now() + MINUTE })}`],
    ['a JWT issued in the future', async () => `Bearer ${await signed({ iat: now() + MINUTE })}`],
    ['a JWT without ns', async () => `Bearer ${await signed({ ns: undefined })}`],
    ['an ns that is no name', async () => `Bearer ${await signed({ ns: 'De Fault' })}`],
    ['a JWT without scope', async () => `Bearer ${await signed({ scope: undefined })}`],
    ['a scope that is a list', async () => `Bearer ${await signed({ scope: ['admin'] })}`],
    ['an empty sub', async () => `Bearer ${await signed({ sub: '' })}`],
    ['a sub that is no text', async () => `Bearer ${await signed({ sub: 17 })}`],
  ])('refuses %s', async (_, authorization) => {
    const header = await authorization()
    const requests = await countRequests(async () => {
      const reply = checkWith(header === '' ? undefined : header)
      expect(await errorOf(reply)).toEqual(UNAUTHENTICATED)
      expect((await reply).headers.get('WWW-Authenticate')).toBe('Bearer realm="mec"')
    })
    expect(requests.neon).toBe(0)
  })

  test('refuses a token without the scope, before looking at the body', async () => {
    const bearer = await mintToken('default', 'read meter')
    const requests = await countRequests(async () => {
      const expected = { status: 403, type: 'permission', code: 'missing_scope', param: null }
      expect(await errorOf(call('POST', '/v1/check', 'no JSON', { bearer }))).toEqual(expected)
    })
    expect(requests.neon).toBe(0)
  })

  test('refuses a token that is bound to another account', async () => {
    const bearer = await mintToken('default', 'check', { sub: 'another' })
    const requests = await countRequests(async () => {
      const expected = { status: 403, type: 'permission', code: 'account_forbidden', param: 'account_id' }
      expect(await errorOf(call('POST', '/v1/check', BODY, { bearer }))).toEqual(expected)
      expect(
        await errorOf(
          call('GET', '/v1/accounts/a/entitlements', undefined, {
            bearer: await mintToken('default', 'read', { sub: 'another' }),
          }),
        ),
      ).toEqual(expected)
    })
    expect(requests.neon).toBe(0)
  })
})

describe('Postgres refuses', () => {
  test('a key that nobody has', async () => {
    const bearer = await unknownKey((await mintNamespace()).name)
    expect(await errorOf(call('POST', '/v1/check', BODY, { bearer }))).toEqual(UNAUTHENTICATED)
    expect(await errorOf(call('POST', '/v1/meter/batch', { entries: ['bad'] }, { bearer }))).toEqual(UNAUTHENTICATED)
    expect(await errorOf(call('POST', '/v1/keys', { name: 'k', scopes: ['check'] }, { bearer }))).toEqual(
      UNAUTHENTICATED,
    )
  })

  test('a token of a namespace that is unknown', async () => {
    const bearer = await mintToken(`never-${crypto.randomUUID().slice(0, 8)}`)
    expect(await errorOf(call('POST', '/v1/check', BODY, { bearer }))).toEqual(UNAUTHENTICATED)
    expect(await errorOf(call('GET', '/v1/ledger', undefined, { bearer }))).toEqual(UNAUTHENTICATED)
  })
})

describe('a token', () => {
  test('is accepted in a header of any case', async () => {
    const { name } = await mintNamespace()
    expect((await checkWith(`bearer   ${await mintToken(name)}`)).status).toBe(200)
  })

  test('of the previous secret is accepted during a rotation', async () => {
    const { name } = await mintNamespace()
    const claims = { ns: name, scope: 'check', exp: now() + HOUR }
    await bodyOf(200, checkWith(`Bearer ${await sign(claims, jwtSecretPrevious, 'HS256')}`))
    expect(
      await errorOf(checkWith(`Bearer ${await sign({ ...claims, exp: now() - 1 }, jwtSecretPrevious, 'HS256')}`)),
    ).toEqual(UNAUTHENTICATED)
  })

  test('of just a day is accepted', async () => {
    const { name } = await mintNamespace()
    await bodyOf(200, checkWith(`Bearer ${await mintToken(name, 'check', { exp: now() + 24 * HOUR - 5 })}`))
  })

  test('may tell its times in fractions of a second, by a clock that is a little ahead', async () => {
    const { name } = await mintNamespace()
    for (const ahead of [0, 3]) {
      const issued = Date.now() / 1000 + ahead
      const claims = { iat: issued, nbf: issued, exp: issued + 24 * HOUR }
      await bodyOf(200, checkWith(`Bearer ${await mintToken(name, 'check', claims)}`))
    }
  })

  test('may have scopes that are none of ours', async () => {
    const { name } = await mintNamespace()
    await bodyOf(200, checkWith(`Bearer ${await mintToken(name, 'openid check files:write')}`))
    expect(await errorOf(checkWith(`Bearer ${await mintToken(name, 'openid')}`))).toMatchObject({
      code: 'missing_scope',
    })
    expect(await errorOf(checkWith(`Bearer ${await mintToken(name, '')}`))).toMatchObject({ code: 'missing_scope' })
  })

  test('bound to an account acts on it, and lists its own when none is named', async () => {
    const namespace = await mintNamespace()
    for (const account_id of ['mine', 'yours']) {
      await bodyOf(
        201,
        namespace.call('POST', '/v1/meter', {
          account_id,
          resource: 'benchmark_runs',
          quantity: 1,
          idempotency_key: 'k',
        }),
      )
    }
    const bearer = await mintToken(namespace.name, 'read check', { sub: 'mine' })
    await bodyOf(200, call('POST', '/v1/check', { ...BODY, account_id: 'mine' }, { bearer }))
    expect(await bodyOf(200, call('GET', '/v1/ledger', undefined, { bearer }))).toMatchObject({
      data: [{ account_id: 'mine' }],
    })
    expect(await errorOf(call('GET', '/v1/ledger?account_id=yours', undefined, { bearer }))).toMatchObject({
      code: 'account_forbidden',
    })
  })

  test.each([
    ['POST', '/v1/namespaces', { namespace: 'x' }],
    ['POST', '/v1/keys', { name: 'k', scopes: ['admin'] }],
    ['PUT', '/v1/plans/p', { name: 'P' }],
    ['POST', '/v1/resources', { resource: 'r', unit: 'count', name: 'R' }],
    ['POST', '/v1/test_clock', { advance_seconds: 1 }],
    ['POST', '/v1/maintenance/run', { job: 'all' }],
    ['POST', '/v1/rules', { resource: 'benchmark_runs', limit_kind: 'cumulative', action: 'warn' }],
  ])('bound to an account does not act on all: %s %s', async (method, path, body) => {
    const namespace = await mintNamespace()
    const bearer = await mintToken(namespace.name, 'admin', { sub: 'mine' })
    expect(await errorOf(call(method, path, body, { bearer }))).toMatchObject({
      status: 403,
      code: 'account_forbidden',
    })
  })
})
