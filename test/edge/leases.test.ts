import { describe, expect, test } from 'vitest'
import { mintAccount, mintNamespace, mintToken } from '../support/edge.ts'
import {
  acquire,
  advance,
  bodyOf,
  check,
  errorOf,
  grant,
  INSTANT,
  invalid,
  setClock,
  UUID,
} from '../support/edge-commands.ts'
import { at, listAt, numberAt, textAt } from '../support/json-path.ts'

const NOWHERE = '00000000-0000-4000-8000-000000000000'

async function seats(quantity: number) {
  const namespace = await mintNamespace()
  const account = mintAccount()
  await setClock(namespace, '2027-01-15T12:00:00Z')
  await grant(namespace, account, { resource: 'concurrent_users', limit_kind: 'concurrency', quantity })
  return { namespace, account }
}

const one = (account: string, holder: string) => ({
  lease_id: UUID,
  account_id: account,
  resource: 'concurrent_users',
  scope: null,
  holder,
  units: 1,
  status: 'active',
  fencing_token: expect.any(Number),
  acquired_at: INSTANT,
  heartbeat_at: INSTANT,
  expires_at: INSTANT,
  released_at: null,
  metadata: {},
})

describe('acquiring', () => {
  test('is a 201 with the decision after the write and the lease', async () => {
    const { namespace, account } = await seats(3)
    const counts = { limit: 3, used: 2, held: 0, remaining: 1 }
    const fields = { ttl_seconds: 60, units: 2, metadata: { ip: '::1' }, scope: 'eu' }
    expect(await bodyOf(201, acquire(namespace, account, 'session xyz', fields))).toEqual({
      allowed: true,
      outcome: 'allow',
      reason: 'within_limit',
      account_id: account,
      resource: 'concurrent_users',
      scope: 'eu',
      quantity: 2,
      ...counts,
      window: null,
      action: 'block',
      warn_at_percent: null,
      overage: { quantity: 0, multiplier: 1 },
      grace: null,
      limits: [{ limit_kind: 'concurrency', ...counts, outcome: 'allow', reason: 'within_limit', window: null }],
      source: 'postgres',
      as_of: INSTANT,
      degraded: false,
      lease: {
        ...one(account, 'session xyz'),
        scope: 'eu',
        units: 2,
        acquired_at: expect.stringMatching(/^2027-01-15T12:00/),
        expires_at: expect.stringMatching(/^2027-01-15T12:01/),
        metadata: { ip: '::1' },
      },
      renewed: false,
    })
  })

  test('lasts eight hours unless told otherwise', async () => {
    const { namespace, account } = await seats(1)
    const lease = await bodyOf(201, acquire(namespace, account, 'h'))
    expect(at(lease, 'lease')).toEqual({ ...one(account, 'h'), expires_at: expect.stringMatching(/^2027-01-15T20:00/) })
  })

  test('again by the same holder renews and takes no second seat', async () => {
    const { namespace, account } = await seats(1)
    const first = await bodyOf(201, acquire(namespace, account, 'h', { ttl_seconds: 60 }))
    await advance(namespace, 30)
    const again = await bodyOf(200, acquire(namespace, account, 'h', { ttl_seconds: 60 }))
    expect(again).toMatchObject({ allowed: true, renewed: true, used: 1 })
    expect(at(again, 'lease.lease_id')).toBe(at(first, 'lease.lease_id'))
    expect(at(again, 'lease.fencing_token')).toBe(at(first, 'lease.fencing_token'))
    expect(textAt(again, 'lease.expires_at') > textAt(first, 'lease.expires_at')).toBe(true)
  })

  test.each([
    ['shortest', { ttl_seconds: 10 }],
    ['longest', { ttl_seconds: 604_800 }],
  ])('takes the %s time that there is', async (_, fields) => {
    const { namespace, account } = await seats(1)
    const { lease } = await bodyOf(201, acquire(namespace, account, 'h'.repeat(255), fields))
    const length = Date.parse(textAt(lease ?? null, 'expires_at')) - Date.parse(textAt(lease ?? null, 'acquired_at'))
    expect(length).toBe(fields.ttl_seconds * 1000)
  })

  test('again with other units asks for the difference only, and with less gives seats back', async () => {
    const { namespace, account } = await seats(5)
    const first = await bodyOf(201, acquire(namespace, account, 'h', { units: 2, metadata: { a: 1 } }))
    await bodyOf(201, acquire(namespace, account, 'other', { units: 1 }))
    const more = await bodyOf(200, acquire(namespace, account, 'h', { units: 4 }))
    expect(more).toMatchObject({
      allowed: true,
      renewed: true,
      quantity: 4,
      used: 5,
      remaining: 0,
      lease: { lease_id: at(first, 'lease.lease_id'), units: 4, metadata: { a: 1 } },
    })
    expect(await bodyOf(200, acquire(namespace, account, 'h', { units: 5 }))).toMatchObject({
      allowed: false,
      reason: 'limit_exceeded',
      quantity: 5,
      used: 5,
      lease: null,
      renewed: false,
    })
    const kept = await bodyOf(200, namespace.call('GET', `/v1/leases/${textAt(first, 'lease.lease_id')}`))
    expect(kept).toMatchObject({ lease: { units: 4, status: 'active' } })
    expect(await bodyOf(200, acquire(namespace, account, 'h', { units: 1, metadata: { b: 2 } }))).toMatchObject({
      renewed: true,
      used: 2,
      lease: { units: 1, metadata: { b: 2 } },
    })
  })

  test('denied is a 200 with those who hold the seats', async () => {
    const { namespace, account } = await seats(2)
    await bodyOf(201, acquire(namespace, account, 'a'))
    await bodyOf(201, acquire(namespace, account, 'b'))
    const denied = await bodyOf(200, acquire(namespace, account, 'c'))
    expect(denied).toMatchObject({ allowed: false, reason: 'limit_exceeded', used: 2, lease: null, renewed: false })
    expect(listAt(denied, 'holders')).toEqual(expect.arrayContaining([one(account, 'a'), one(account, 'b')]))
  })

  test('shows at most twenty holders', async () => {
    const { namespace, account } = await seats(25)
    await Promise.all(Array.from({ length: 25 }, (_, n) => acquire(namespace, account, `h${n}`)))
    const denied = await bodyOf(200, acquire(namespace, account, 'late'))
    expect(listAt(denied, 'holders')).toHaveLength(20)
  })

  test('the fencing token grows with every grant', async () => {
    const { namespace, account } = await seats(5)
    const tokens: number[] = []
    for (const holder of ['a', 'b', 'a', 'c'])
      tokens.push(numberAt((await acquire(namespace, account, holder)).body, 'lease.fencing_token'))
    const [a = 0, b = 0, again, c = 0] = tokens
    expect(again).toBe(a)
    expect(a < b && b < c).toBe(true)
  })

  test('needs a concurrency entitlement', async () => {
    const { namespace, account } = await seats(5)
    await grant(namespace, account, { resource: 'ai_models' })
    const denied = { allowed: false, reason: 'no_entitlement', lease: null, holders: [] }
    expect(await bodyOf(200, acquire(namespace, account, 'h', { resource: 'ai_models' }))).toMatchObject(denied)
  })

  test.each([
    ['no holder', { holder: undefined }, 'holder'],
    ['an empty holder', { holder: '' }, 'holder'],
    ['a holder too long', { holder: 'h'.repeat(256) }, 'holder'],
    ['too short a time', { ttl_seconds: 9 }, 'ttl_seconds'],
    ['too long a time', { ttl_seconds: 604_801 }, 'ttl_seconds'],
    ['half a second', { ttl_seconds: 10.5 }, 'ttl_seconds'],
    ['no seat', { units: 0 }, 'units'],
    ['half a seat', { units: 0.5 }, 'units'],
    ['too many seats', { units: 1_000_001 }, 'units'],
    ['metadata of no object', { metadata: 'x' }, 'metadata'],
    ['too much metadata', { metadata: { a: 'x'.repeat(4096) } }, 'metadata'],
    ['a bad scope', { scope: 'us/' }, 'scope'],
    ['an unknown field', { quantity: 1 }, 'quantity'],
  ])('refuses %s', async (_, fields, param) => {
    const namespace = await mintNamespace()
    const body = { account_id: 'a', resource: 'concurrent_users', holder: 'h', ...fields }
    expect(await errorOf(namespace.call('POST', '/v1/leases', body))).toEqual(invalid(param))
  })

  test('refuses an unknown resource', async () => {
    const namespace = await mintNamespace()
    expect(await errorOf(acquire(namespace, 'a', 'h', { resource: 'unicorns' }))).toMatchObject({
      status: 400,
      code: 'unknown_resource',
    })
  })
})

describe('a lease', () => {
  async function held() {
    const { namespace, account } = await seats(1)
    const lease = await bodyOf(201, acquire(namespace, account, 'h', { ttl_seconds: 60 }))
    return {
      namespace,
      account,
      id: textAt(lease, 'lease.lease_id'),
      path: `/v1/leases/${textAt(lease, 'lease.lease_id')}`,
    }
  }

  test('is kept alive by a heartbeat', async () => {
    const { namespace, account, path } = await held()
    await advance(namespace, 50)
    const beaten = await bodyOf(200, namespace.call('POST', `${path}/heartbeat`, { ttl_seconds: 600 }))
    expect(beaten).toEqual({ lease: { ...one(account, 'h'), expires_at: expect.stringMatching(/^2027-01-15T12:1/) } })
    await advance(namespace, 500)
    expect(await bodyOf(200, namespace.call('GET', path))).toMatchObject({ lease: { status: 'active' } })
  })

  test('keeps its own time when the heartbeat brings none, with or without a body', async () => {
    const { namespace, path } = await held()
    for (const body of [undefined, {}]) {
      await advance(namespace, 50)
      expect(await bodyOf(200, namespace.call('POST', `${path}/heartbeat`, body))).toMatchObject({
        lease: { status: 'active' },
      })
    }
  })

  test.each([
    ['too short a time', { ttl_seconds: 9 }, 'ttl_seconds'],
    ['too long a time', { ttl_seconds: 604_801 }, 'ttl_seconds'],
    ['other units', { units: 2 }, 'units'],
  ])('takes no heartbeat with %s', async (_, body, param) => {
    const { namespace, path } = await held()
    expect(await errorOf(namespace.call('POST', `${path}/heartbeat`, body))).toEqual(invalid(param))
  })

  test.each([
    ['an empty reason', { reason: '' }, 'reason'],
    ['a reason too long', { reason: 'x'.repeat(1001) }, 'reason'],
  ])('is not revoked with %s', async (_, body, param) => {
    const { namespace, path } = await held()
    expect(await errorOf(namespace.call('POST', `${path}/revoke`, body))).toEqual(invalid(param))
    expect(await bodyOf(200, namespace.call('GET', path))).toMatchObject({ lease: { status: 'active' } })
  })

  test('a heartbeat never checks capacity again', async () => {
    const { namespace, account, path } = await held()
    const entitlements = await bodyOf(200, namespace.call('GET', `/v1/accounts/${account}/entitlements`))
    const id = textAt(entitlements, 'data.0.entitlement_id')
    await bodyOf(200, namespace.call('PATCH', `/v1/entitlements/${id}`, { quantity: 0 }))
    await bodyOf(200, namespace.call('POST', `${path}/heartbeat`, {}))
  })

  test('is released, and again', async () => {
    const { namespace, account, path } = await held()
    const released = { lease: { ...one(account, 'h'), status: 'released', released_at: INSTANT } }
    const first = await bodyOf(200, namespace.call('DELETE', path))
    expect(first).toEqual(released)
    await advance(namespace, 10)
    expect(await bodyOf(200, namespace.call('DELETE', path))).toEqual(first)
    expect(await check(namespace, account, { resource: 'concurrent_users', for: 'lease' })).toMatchObject({
      allowed: true,
      used: 0,
    })
  })

  test('is revoked by an admin, with or without a reason', async () => {
    const { namespace, account, path } = await held()
    const revoked = await bodyOf(200, namespace.call('POST', `${path}/revoke`, { reason: 'Seat needed\nelsewhere' }))
    expect(revoked).toEqual({ lease: { ...one(account, 'h'), status: 'revoked', released_at: INSTANT } })
    const other = await bodyOf(201, acquire(namespace, account, 'i'))
    await bodyOf(200, namespace.call('POST', `/v1/leases/${textAt(other, 'lease.lease_id')}/revoke`))
    const bearer = await mintToken(namespace.name, 'lease')
    expect(await errorOf(namespace.call('POST', `${path}/revoke`, {}, { bearer }))).toMatchObject({
      status: 403,
      code: 'missing_scope',
    })
  })

  test.each(['expired', 'released', 'revoked'] as const)(
    'that is %s takes no heartbeat: 410, with the lease',
    async (status) => {
      const { namespace, account, path } = await held()
      if (status === 'expired') await advance(namespace, 61)
      if (status === 'released') await bodyOf(200, namespace.call('DELETE', path))
      if (status === 'revoked') await bodyOf(200, namespace.call('POST', `${path}/revoke`))
      const reply = await namespace.call('POST', `${path}/heartbeat`, {})
      expect(reply.status).toBe(410)
      expect(reply.body).toEqual({
        error: {
          type: 'gone',
          code: `lease_${status}`,
          message: expect.any(String),
          param: null,
          request_id: expect.any(String),
          lease: { ...one(account, 'h'), status, released_at: status === 'expired' ? null : INSTANT },
        },
      })
    },
  )

  test('that is past its end holds no seat, cron or no cron', async () => {
    const { namespace, account, path } = await held()
    await advance(namespace, 61)
    expect(await bodyOf(200, namespace.call('GET', path))).toMatchObject({ lease: { status: 'expired' } })
    const next = await bodyOf(201, acquire(namespace, account, 'next'))
    expect(next).toMatchObject({ used: 1 })
  })

  test.each([
    ['GET', ''],
    ['DELETE', ''],
    ['POST', '/heartbeat'],
    ['POST', '/revoke'],
  ])('%s of one that is unknown, or of another namespace: 404', async (method, suffix) => {
    const { id } = await held()
    const stranger = await mintNamespace()
    const body = method === 'POST' ? {} : undefined
    for (const lease of [NOWHERE, id]) {
      const answer = stranger.call(method, `/v1/leases/${lease}${suffix}`, body)
      expect(await errorOf(answer)).toEqual({ status: 404, type: 'not_found', code: 'not_found', param: 'lease_id' })
    }
    expect(await errorOf(stranger.call(method, `/v1/leases/no-uuid${suffix}`, body))).toEqual(invalid('lease_id'))
  })

  test('of another account is not for a token that is bound to one', async () => {
    const { namespace, path } = await held()
    const bearer = await mintToken(namespace.name, 'lease', { sub: 'another' })
    for (const [method, target] of [
      ['GET', path],
      ['DELETE', path],
      ['POST', `${path}/heartbeat`],
    ] as const) {
      const { status } = await errorOf(namespace.call(method, target, method === 'POST' ? {} : undefined, { bearer }))
      expect([403, 404]).toContain(status)
    }
    expect(await bodyOf(200, namespace.call('GET', path))).toMatchObject({ lease: { status: 'active' } })
  })
})

describe('the list', () => {
  test('is filtered by account, resource and status', async () => {
    const { namespace, account } = await seats(5)
    const other = mintAccount()
    await grant(namespace, other, { resource: 'ai_models', limit_kind: 'concurrency', quantity: 5 })
    const gone = textAt(await bodyOf(201, acquire(namespace, account, 'gone')), 'lease.lease_id')
    await bodyOf(201, acquire(namespace, account, 'stays'))
    await bodyOf(201, acquire(namespace, other, 'models', { resource: 'ai_models' }))
    await bodyOf(200, namespace.call('DELETE', `/v1/leases/${gone}`))
    const holders = async (query: string) => {
      const page = await bodyOf(200, namespace.call('GET', `/v1/leases${query}`))
      expect(page).toMatchObject({ has_more: false, next_cursor: null })
      return listAt(page, 'data')
        .map((lease) => at(lease, 'holder'))
        .sort()
    }
    expect(await holders('')).toEqual(['gone', 'models', 'stays'])
    expect(await holders(`?account_id=${account}`)).toEqual(['gone', 'stays'])
    expect(await holders('?resource=ai_models')).toEqual(['models'])
    expect(await holders('?status=active')).toEqual(['models', 'stays'])
    expect(await holders(`?status=released&account_id=${account}&resource=concurrent_users`)).toEqual(['gone'])
    expect(await holders('?account_id=nobody')).toEqual([])
    await advance(namespace, 100_000)
    expect(await holders('?status=active')).toEqual([])
    expect(await holders('?status=expired')).toEqual(['models', 'stays'])
  })

  test.each([
    ['?status=gone', invalid('status')],
    ['?limit=0', invalid('limit')],
    ['?holder=h', invalid('holder')],
    ['?resource=unicorns', { ...invalid('resource'), code: 'unknown_resource' }],
  ])('refuses %s', async (query, expected) => {
    const namespace = await mintNamespace()
    expect(await errorOf(namespace.call('GET', `/v1/leases${query}`))).toEqual(expected)
  })

  test.each(['read', 'lease'])('may be read with the scope %s', async (scope) => {
    const namespace = await mintNamespace()
    await bodyOf(
      200,
      namespace.call('GET', '/v1/leases', undefined, { bearer: await mintToken(namespace.name, scope) }),
    )
  })
})
