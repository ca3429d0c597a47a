import { createHash, randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import {
  accountId,
  acquire,
  advanceClock,
  at,
  consume,
  grant,
  listAt,
  meter,
  numberAt,
  ruleFor,
  textAt,
} from '../../support/commands.ts'
import {
  type Answer,
  api,
  errorOf,
  mintAccount,
  mintNamespace,
  sql,
  sqlAsWorker,
  sqlValue,
  token,
} from '../../support/sql.ts'

/** The trail as answers show it, oldest first, of what `does` adds to it. */
async function added(namespace: string, does: () => Promise<unknown>): Promise<Answer[]> {
  const before = await trail(namespace)
  await does()
  return (await trail(namespace)).slice(before.length)
}

async function trail(namespace: string, request: Answer = {}): Promise<Answer[]> {
  const page = await api('api_audit_list', { limit: 100, ...request }, token(namespace, ['read']))
  expect(page['has_more']).toBe(false)
  return (listAt(page, 'data') as Answer[]).toReversed()
}

type Explained = { 'QUERY PLAN': [{ Plan: { 'Shared Hit Blocks': number; 'Shared Read Blocks': number } }] }

async function blocksRead(statement: string): Promise<number> {
  const [row] = await sql<Explained>(`explain (analyze, buffers, format json) ${statement}`)
  if (!row) throw new Error('no plan')
  const { Plan } = row['QUERY PLAN'][0]
  return Plan['Shared Hit Blocks'] + Plan['Shared Read Blocks']
}

const summary = ({ action, object_type, object_id }: Answer) => [action, object_type, object_id]

describe('what is in the trail', () => {
  it('a change, by whom, for which request, from what to what, and when', async () => {
    const namespace = await mintNamespace()
    const account = mintAccount()
    const rule = await ruleFor(account, { action: 'warn' }, namespace)
    const as = token(namespace)
    const from = Date.now()
    const [entry] = await added(namespace, () =>
      api('api_rule_patch', { rule_id: textAt(rule, 'rule_id'), action: 'overage', overage_cap: 1.5 }, as),
    )
    const image = {
      rule_id: textAt(rule, 'rule_id'),
      namespace,
      account_id: account,
      plan_id: null,
      resource: 'benchmark_runs',
      limit_kind: 'cumulative',
      action: 'warn',
      warn_at_percent: null,
      overage_multiplier: null,
      overage_cap: null,
      grace_percent: null,
      grace_seconds: null,
      on_error: 'deny',
      created_at: textAt(rule, 'created_at'),
    }
    expect(entry).toEqual({
      audit_id: expect.any(String),
      at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z$/),
      actor: 'token',
      request_id: as['request_id'],
      action: 'update',
      object_type: 'rule',
      object_id: textAt(rule, 'rule_id'),
      account_id: account,
      before: image,
      after: { ...image, action: 'overage', overage_cap: 1.5 },
      erased: false,
    })
    expect(Date.parse(textAt(entry ?? {}, 'at'))).toBeGreaterThanOrEqual(from)
    expect(Date.parse(textAt(entry ?? {}, 'at'))).toBeLessThanOrEqual(Date.now())
  })

  it('one entry for each object and statement, made and unmade alike', async () => {
    const namespace = await mintNamespace()
    const id = randomUUID()
    const account = await accountId(mintAccount(), namespace)
    await sql('insert into accounts (account_id, namespace_id) values ($1, $2)', [account, namespace])
    const made = await added(namespace, () =>
      sql(
        `insert into entitlements (account_id, resource_type_code, limit_kind_code, quantity_allowed)
         select $1, 'gpu_hours', 'cumulative', n from generate_series(1, 3) n`,
        [account],
      ),
    )
    expect(made.map((entry) => [entry['action'], entry['before'], at(entry, 'after.quantity')])).toEqual([
      ['create', null, 1],
      ['create', null, 2],
      ['create', null, 3],
    ])
    const unmade = await added(namespace, () => sql('delete from entitlements where account_id = $1', [account]))
    expect(unmade.map((entry) => [entry['action'], entry['before'], entry['after']])).toEqual(
      made.map((entry) => ['delete', entry['after'], null]),
    )
    expect(await added(namespace, () => sql('delete from entitlements where entitlement_id = $1', [id]))).toEqual([])
  })

  it('none when nothing changed', async () => {
    const namespace = await mintNamespace()
    const account = mintAccount()
    const entitlement = await grant(account, {}, namespace)
    const { entitlement_id } = entitlement
    const key = { type: 'key', hash: createHash('sha256').update(namespace).digest('hex') }
    await api('api_key_create', { name: 'k', scopes: ['admin'], hash: key.hash, prefix: 'p' }, token(namespace))
    await api('api_plan_put', { plan_id: 'p', name: 'P' }, token(namespace))
    expect(
      await added(namespace, async () => {
        await api('api_entitlement_patch', { entitlement_id: entitlement_id ?? null, priority: 100 }, token(namespace))
        await sql('update accounts set timezone = timezone where namespace_id = $1', [namespace])
        await sql('update namespaces set config_version = config_version + 1 where namespace_id = $1', [namespace])
        await sql(`update plans set updated_at = updated_at + interval '1 day' where namespace_id = $1`, [namespace])
        await api('api_key_list', {}, key)
        expect(
          await sqlValue('select last_used_at is not null from api_keys where namespace_id = $1', [namespace]),
        ).toBe(true)
        await api('api_test_clock_clear', {}, token(namespace))
      }),
    ).toEqual([])
  })

  it('of a plan, its versions and what they grant, what it became and not the way there', async () => {
    const namespace = await mintNamespace()
    const RUNS = { resource: 'benchmark_runs', limit_kind: 'cumulative', quantity: 50 }
    const put = (fields: Answer) =>
      added(namespace, () => api('api_plan_put', { plan_id: 'p', name: 'P', ...fields }, token(namespace)))
    const what = (entries: Answer[]) => entries.map(({ action, object_type }) => `${action} ${object_type}`).toSorted()
    const made = await put({ entitlements: [RUNS], status: 'draft' })
    expect(what(made)).toEqual(['create plan', 'create plan_template', 'create plan_version'])
    expect(made.find((entry) => entry['object_type'] === 'plan')).toMatchObject({
      object_id: 'p',
      after: { plan_id: 'p', name: 'P', status: 'draft', version: 1 },
    })
    expect(await put({ entitlements: [RUNS], status: 'draft' })).toEqual([])
    expect(await put({ entitlements: [RUNS], status: 'active' })).toEqual([
      expect.objectContaining({
        action: 'update',
        object_type: 'plan',
        before: expect.objectContaining({ status: 'draft', version: 1 }),
        after: expect.objectContaining({ status: 'active', version: 1 }),
      }),
    ])
    const grown = await put({ entitlements: [{ ...RUNS, quantity: 60 }] })
    expect(what(grown)).toEqual(['create plan_template', 'create plan_version', 'update plan'])
    expect(grown.find((entry) => entry['object_type'] === 'plan_version')).toMatchObject({ object_id: 'p/2' })
    expect(grown.find((entry) => entry['object_type'] === 'plan_template')).toMatchObject({
      after: { plan_id: 'p', plan_version: 2, resource: 'benchmark_runs', quantity: 60 },
    })
    expect(await errorOf(put({ entitlements: [{ ...RUNS, resource: 'nothing' }] }))).toMatchObject({ status: 400 })
    expect(await put({ entitlements: [{ ...RUNS, quantity: 60 }] })).toEqual([])
  })

  it('an account that appears is no change; what becomes of it is', async () => {
    const namespace = await mintNamespace()
    const account = mintAccount()
    const uuid = await accountId(account, namespace)
    await meter(account, {}, namespace)
    expect((await trail(namespace)).map(summary)).toEqual([['create', 'namespace', namespace]])
    const entries = await added(namespace, () =>
      sql(`update accounts set status = 'suspended', timezone = 'Asia/Tokyo' where account_id = $1`, [uuid]),
    )
    expect(entries).toEqual([
      expect.objectContaining({
        action: 'update',
        object_type: 'account',
        object_id: account,
        account_id: account,
        before: expect.objectContaining({ status: 'active', timezone: 'UTC', external_id: account }),
        after: expect.objectContaining({ status: 'suspended', timezone: 'Asia/Tokyo', external_id: account }),
      }),
    ])
  })

  it('of leases only ends by force', async () => {
    const namespace = await mintNamespace()
    const account = mintAccount()
    await grant(account, { resource: 'concurrent_users', limit_kind: 'concurrency', quantity: 5 }, namespace)
    const ids: string[] = []
    for (const holder of ['ada', 'bob', 'cleo']) {
      ids.push(textAt(await acquire(account, holder, { ttl_seconds: 60 }, namespace), 'lease.lease_id'))
    }
    const [ada, bob, cleo] = ids
    const entries = await added(namespace, async () => {
      await api('api_lease_heartbeat', { lease_id: ada ?? '' }, token(namespace))
      await api('api_lease_release', { lease_id: ada ?? '' }, token(namespace))
      await api('api_lease_revoke', { lease_id: bob ?? '', reason: 'left the firm' }, token(namespace))
      await api('api_lease_revoke', { lease_id: bob ?? '', reason: 'again' }, token(namespace))
    })
    expect(entries).toEqual([
      expect.objectContaining({
        action: 'revoke',
        object_type: 'lease',
        object_id: bob,
        account_id: account,
        before: expect.objectContaining({ holder: 'bob', end_status: null, ended_at: null }),
        after: expect.objectContaining({ holder: 'bob', end_status: 'revoked', end_reason: 'left the firm' }),
      }),
    ])
    await advanceClock(namespace, 3600)
    // Past its expiry it had ended by itself.
    expect(
      await added(namespace, () => api('api_lease_revoke', { lease_id: cleo ?? '', reason: 'late' }, token(namespace))),
    ).toEqual([])
  })

  it('a window that is closed, and no counting', async () => {
    const namespace = await mintNamespace()
    const account = mintAccount()
    const { entitlement_id } = await grant(account, { window: 'calendar_month' }, namespace)
    const uuid = await accountId(account, namespace)
    expect(await added(namespace, () => consume(account, {}, namespace))).toEqual([])
    const entries = await added(namespace, () =>
      sql(`update entitlement_windows set frozen_at = '2027-01-01T01:00:00Z' where account_id = $1`, [uuid]),
    )
    const [window] = await sql<{ end: string }>(
      'select fn_rfc3339(window_end) as end from entitlement_windows where account_id = $1',
      [uuid],
    )
    expect(entries).toEqual([
      expect.objectContaining({
        action: 'close',
        object_type: 'window',
        object_id: `${entitlement_id}/${window?.end}`,
        account_id: account,
        before: expect.objectContaining({ frozen_at: null, used: 1, included_quantity: 1 }),
        after: expect.objectContaining({ frozen_at: '2027-01-01T01:00:00Z', used: 1, included_quantity: 1 }),
      }),
    ])
  })

  it('the test clock, in seconds ahead', async () => {
    const namespace = await mintNamespace()
    const [moved] = await added(namespace, () => advanceClock(namespace, 3600))
    expect(moved).toMatchObject({ action: 'update', object_type: 'namespace', object_id: namespace })
    expect(at(moved ?? {}, 'before.clock_offset_seconds')).toBe(0)
    expect(numberAt(moved ?? {}, 'after.clock_offset_seconds')).toBeCloseTo(3600, 0)
    expect(at(moved ?? {}, 'after.late_arrival_grace_seconds')).toBe(3600)
    // The trail itself is in real time.
    expect(Date.parse(textAt(moved ?? {}, 'at'))).toBeLessThanOrEqual(Date.now())
    const [cleared] = await added(namespace, () => api('api_test_clock_clear', {}, token(namespace)))
    expect(at(cleared ?? {}, 'after.clock_offset_seconds')).toBe(0)
  })

  it('looks the same from whatever session a change is made', async () => {
    const namespace = await mintNamespace()
    const account = await accountId(mintAccount(), namespace)
    await sql('insert into accounts (account_id, namespace_id) values ($1, $2)', [account, namespace])
    const insert = `insert into entitlements (account_id, resource_type_code, limit_kind_code, quantity_allowed, effective_start, created_at, entitlement_id)
      values ('${account}', 'gpu_hours', 'cumulative', 1, '2026-11-01T00:00:00Z', '2026-11-01T00:00:00.5Z', '${randomUUID()}')`
    await sql(insert)
    await sql(`begin; set local timezone = 'Asia/Kolkata'; set local intervalstyle = 'sql_standard'; set local datestyle = 'German';
      ${insert.replace(/'[0-9a-f-]{36}'\)$/, `'${randomUUID()}')`)}; commit`)
    const texts = await sql<{ after: string }>(
      `select (after - '{entitlement_id,bucket_id}'::text[])::text as after from audit_log where namespace_id = $1 and object_type = 'entitlement'`,
      [namespace],
    )
    expect(texts).toHaveLength(2)
    expect(texts[0]).toEqual(texts[1])
    expect(JSON.parse(texts[0]?.after ?? '{}')).toMatchObject({
      effective_start: '2026-11-01T00:00:00Z',
      created_at: '2026-11-01T00:00:00.500Z',
    })
  })

  it('secrets are never in it', async () => {
    const namespace = await mintNamespace()
    const hash = createHash('sha256').update(randomUUID()).digest('hex')
    const made = await api(
      'api_key_create',
      { name: 'k', scopes: ['read'], hash, prefix: 'mec_sk_x' },
      token(namespace),
    )
    await api('api_key_revoke', { key_id: textAt(made, 'key_id') }, token(namespace))
    await advanceClock(namespace, 1)
    const seed = await sqlValue<string>('select account_seed from namespaces where namespace_id = $1', [namespace])
    const rows = await sql<{ text: string; action: string }>(
      'select action, a::text as text from audit_log a where namespace_id = $1 order by audit_id',
      [namespace],
    )
    expect(rows.map(({ action }) => action)).toEqual(['create', 'create', 'revoke', 'update'])
    for (const { text } of rows) {
      expect(text).not.toContain(hash)
      expect(text).not.toContain(seed)
      expect(text).not.toMatch(/key_hash|account_seed/)
    }
    expect((await trail(namespace))[1]).toMatchObject({ after: { name: 'k', prefix: 'mec_sk_x', scopes: ['read'] } })
  })
})

describe('what is in it stays', () => {
  it.each(['update audit_log set actor = actor', 'delete from audit_log', 'truncate audit_log'])(
    'the owner cannot: %s',
    async (statement) => {
      const namespace = await mintNamespace()
      const [entry] = await trail(namespace)
      const where = statement === 'truncate audit_log' ? '' : ` where audit_id = '${textAt(entry ?? {}, 'audit_id')}'`
      await expect(sql(statement + where)).rejects.toMatchObject({ code: 'ME409' })
      expect(await trail(namespace)).toEqual([entry])
    },
  )

  it.each([
    'update audit_log set actor = actor',
    'delete from audit_log',
    'delete from audit_details',
    "insert into audit_log (audit_id, namespace_id, actor, action, object_type, object_id, changed_at) values (gen_random_uuid(), 'default', 'cron', 'create', 'unit', 'u', now())",
    "select fn_audit_write('create', 'unit', 'u', 'default', null, null, '{}', '{}')",
    'alter table plans disable trigger all',
  ])("the Worker's role cannot: %s", async (statement) => {
    await expect(sqlAsWorker(statement)).rejects.toMatchObject({ code: '42501' })
  })
})

describe('who did it', () => {
  it('a key, by its id', async () => {
    const namespace = await mintNamespace()
    const hash = createHash('sha256').update(namespace).digest('hex')
    const key = await api('api_key_create', { name: 'k', scopes: ['admin'], hash, prefix: 'p' }, token(namespace))
    const [entry] = await added(namespace, () =>
      api('api_plan_put', { plan_id: 'p', name: 'P' }, { type: 'key', hash, request_id: 'r-1' }),
    )
    expect(entry).toMatchObject({ actor: `key:${textAt(key, 'key_id')}`, request_id: 'r-1' })
  })

  it('a token of one account, by the account', async () => {
    const namespace = await mintNamespace()
    const account = mintAccount()
    const own = token(namespace, ['admin'], account)
    const request = { account_id: account, resource: 'gpu_hours', limit_kind: 'cumulative', quantity: 1 }
    const [entry] = await added(namespace, () => api('api_entitlement_grant', request, own))
    expect(entry).toMatchObject({ actor: `token:${account}`, request_id: own['request_id'] })
    expect(await trail(namespace, { actor: `token:${account}` })).toEqual([entry])
  })

  it('a SQL user, by the role that logged in, and by no name that an earlier transaction left', async () => {
    const namespace = await mintNamespace()
    const account = await accountId(mintAccount(), namespace)
    await sql('insert into accounts (account_id, namespace_id) values ($1, $2)', [account, namespace])
    await sql(`insert into plans (namespace_id, plan_id, plan_name, status) values ($1, $2, 'P', 'active')`, [
      namespace,
      `plan-${namespace}`,
    ])
    await sql(`select fn_act_as('cron', 'r')`)
    const entries = await added(namespace, () =>
      sql('select fn_provision_plan_entitlements($1, $2)', [account, `plan-${namespace}`]),
    )
    expect(entries.map(({ actor, request_id }) => [actor, request_id])).toEqual([['role:mec', null]])
  })

  it('cron', async () => {
    const namespace = await mintNamespace()
    const text = `select api_maintenance('{"type":"cron","request_id":"c-1"}', '{"job":"expire_leases"}')`
    await sql(
      `begin; ${text}; update namespaces set late_arrival_grace = '2 hours' where namespace_id = '${namespace}'; commit`,
    )
    expect((await trail(namespace)).at(-1)).toMatchObject({ actor: 'cron', request_id: 'c-1' })
  })
})

describe('personal strings', () => {
  it('are in the details only, and gone with them; the trail stays', async () => {
    const namespace = await mintNamespace()
    const secret = `person-${randomUUID()}`
    const account = await accountId(secret, namespace)
    await grant(secret, { metadata: { contact: secret } }, namespace)
    await grant(secret, { resource: 'concurrent_users', limit_kind: 'concurrency', metadata: {} }, namespace)
    const lease = await acquire(secret, secret, { metadata: { host: secret } }, namespace)
    await api('api_lease_revoke', { lease_id: textAt(lease, 'lease.lease_id'), reason: secret }, token(namespace))
    const as = token(namespace, ['admin'], secret)
    await api(
      'api_entitlement_grant',
      { account_id: secret, resource: 'gpu_hours', limit_kind: 'cumulative', quantity: 1 },
      as,
    )
    await sql(
      `update accounts set account_name = $2, metadata = jsonb_build_object('a', $2::text, 'b', null) where account_id = $1`,
      [account, secret],
    )
    const shown = await trail(namespace, { account_id: secret })
    expect(shown.map(summary).map(([action, type]) => `${action} ${type}`)).toEqual([
      'create entitlement',
      'create entitlement',
      'revoke lease',
      'create entitlement',
      'update account',
    ])
    expect(at(shown[0] ?? {}, 'after.metadata')).toEqual({ contact: secret })
    expect(at(shown[1] ?? {}, 'after.metadata')).toEqual({})
    expect(at(shown[2] ?? {}, 'after')).toMatchObject({
      holder: secret,
      end_reason: secret,
      metadata: { host: secret },
    })
    expect(shown[3]).toMatchObject({ actor: `token:${secret}` })
    expect(shown[4]).toMatchObject({
      before: { name: null, external_id: secret },
      after: { name: secret, metadata: { a: secret, b: null } },
    })

    const rows = () =>
      sql<{ text: string }>('select a::text as text from audit_log a where namespace_id = $1 order by audit_id', [
        namespace,
      ])
    const before = await rows()
    expect(before.filter(({ text }) => text.includes(secret))).toEqual([])
    expect(
      await sqlValue<boolean>(
        `select bool_and(a.details_hash = sha256(d.salt || convert_to(jsonb_build_object('before', d.before, 'after', d.after)::text, 'UTF8')))
         from audit_log a join audit_details d using (audit_id) where a.namespace_id = $1`,
        [namespace],
      ),
    ).toBe(true)
    // Exactly those that have something to hide.
    expect(
      await sqlValue<string>('select count(*) from audit_log where namespace_id = $1 and details_hash is not null', [
        namespace,
      ]),
    ).toBe('3')

    await sql('delete from audit_details where account_id = $1', [account])
    expect(await rows()).toEqual(before)
    const erased = await trail(namespace, { account_id: secret })
    expect(erased.map((entry) => entry['erased'])).toEqual([true, false, true, false, true])
    expect(at(erased[2] ?? {}, 'after')).not.toHaveProperty('holder')
    expect(at(erased[2] ?? {}, 'after')).toHaveProperty('end_status', 'revoked')
  })

  it('the same string leaves another hash each time', async () => {
    const namespace = await mintNamespace()
    for (const account of [mintAccount(), mintAccount()]) await grant(account, { metadata: { of: 'ada' } }, namespace)
    const [hashes] = await sql<{ all: string; distinct: string }>(
      'select count(details_hash) as all, count(distinct details_hash) as distinct from audit_log where namespace_id = $1',
      [namespace],
    )
    expect(hashes).toEqual({ all: '2', distinct: '2' })
  })
})

describe('reading it', () => {
  it('newest first, in the order in which things were done', async () => {
    const namespace = await mintNamespace()
    for (let n = 0; n < 5; n++) await ruleFor(null, { action: 'warn', overage_cap: n }, namespace)
    const { data } = await api('api_audit_list', {}, token(namespace))
    const rules = (data as Answer[]).filter((entry) => entry['object_type'] === 'rule')
    expect(rules.map((entry) => at(entry, 'after.overage_cap'))).toEqual([4, 3, 2, 1, 0])
    expect(
      await sqlValue<boolean>(
        `select bool_and(a.audit_id > b.audit_id and a.changed_at >= b.changed_at) from (
           select *, lag(audit_id) over (order by (after ->> 'overage_cap')::int) as earlier from audit_log
           where namespace_id = $1 and object_type = 'rule') a join audit_log b on b.audit_id = a.earlier`,
        [namespace],
      ),
    ).toBe(true)
  })

  it('by account, object, action, actor and time', async () => {
    const namespace = await mintNamespace()
    const [account, other] = [mintAccount(), mintAccount()]
    const { entitlement_id } = await grant(account, {}, namespace)
    await grant(other, {}, namespace)
    await api('api_entitlement_revoke', { entitlement_id: entitlement_id ?? null }, token(namespace))
    await sql(`update accounts set status = 'suspended' where account_id = $1`, [await accountId(account, namespace)])
    const all = await trail(namespace)
    const [made, granted, granted2, revoked, suspended] = all
    expect(all).toHaveLength(5)
    const rows: [Answer, (Answer | undefined)[]][] = [
      [{ account_id: account }, [granted, revoked, suspended]],
      [{ account_id: other }, [granted2]],
      [{ account_id: mintAccount() }, []],
      [{ object_type: 'namespace' }, [made]],
      [{ object_type: 'account', object_id: account }, [suspended]],
      [{ object_id: entitlement_id ?? null }, [granted, revoked]],
      [{ object_id: entitlement_id ?? null, action: 'revoke' }, [revoked]],
      [{ action: 'update' }, [suspended]],
      [{ actor: 'token' }, [granted, granted2, revoked]],
      [{ actor: 'role:mec', account_id: account }, [suspended]],
      [{ actor: 'cron' }, []],
      [{ from: textAt(revoked ?? {}, 'at'), action: 'revoke' }, [revoked]],
      [{ to: textAt(revoked ?? {}, 'at'), action: 'revoke' }, []],
      [{ from: '2100-01-01T00:00:00Z' }, []],
      [{ to: '2100-01-01T00:00:00Z', actor: null }, all],
    ]
    for (const [request, expected] of rows)
      expect(await trail(namespace, request), JSON.stringify(request)).toEqual(expected)
  })

  it('in pages, with any filter', async () => {
    const namespace = await mintNamespace()
    const account = mintAccount()
    for (let n = 0; n < 5; n++) await grant(account, { priority: n }, namespace)
    for (const filter of [{}, { account_id: account }, { object_type: 'entitlement', actor: 'token' }]) {
      const whole = (await trail(namespace, filter)).toReversed()
      const collected: Answer[] = []
      let cursor: string | null = null
      do {
        const page: Answer = await api('api_audit_list', { ...filter, limit: 2, cursor }, token(namespace))
        collected.push(...(listAt(page, 'data') as Answer[]))
        cursor = page['next_cursor'] === null ? null : textAt(page, 'next_cursor')
      } while (cursor !== null)
      expect(collected).toEqual(whole)
    }
    expect(await errorOf(api('api_audit_list', { cursor: 'eA' }, token(namespace)))).toMatchObject({ param: 'cursor' })
  })

  it('a namespace sees its own; a token of one account what concerns that account', async () => {
    const [namespace, neighbour] = [await mintNamespace(), await mintNamespace()]
    const account = mintAccount()
    for (const each of [namespace, neighbour]) {
      await grant(account, { metadata: { of: each } }, each)
      await ruleFor(null, { action: 'warn' }, each)
    }
    for (const each of [namespace, neighbour]) {
      const own = await trail(each)
      expect(own.map(summary).map(([action, type]) => `${action} ${type}`)).toEqual([
        'create namespace',
        'create entitlement',
        'create rule',
      ])
      expect(JSON.stringify(own)).not.toContain(each === namespace ? neighbour : namespace)
      const bound = await api('api_audit_list', {}, token(each, ['read'], account))
      expect((bound['data'] as Answer[]).map((entry) => entry['object_type'])).toEqual(['entitlement'])
    }
    const error = await errorOf(
      api('api_audit_list', { account_id: mintAccount() }, token(namespace, ['admin'], account)),
    )
    expect(error).toMatchObject({ status: 403, code: 'account_forbidden' })
  })

  it('finds an account, and an object, in a long trail by an index', async () => {
    const namespace = await mintNamespace()
    const account = mintAccount()
    await grant(account, {}, namespace)
    await sql(
      `insert into audit_log (audit_id, namespace_id, actor, action, object_type, object_id, after, changed_at)
       select fn_uuid7(), $1, 'cron', 'create', 'unit', 'u' || n, '{}', now() + n * interval '1 ms' from generate_series(1, 20000) n`,
      [namespace],
    )
    await sql('analyze audit_log')
    for (const request of [{ account_id: account }, { object_id: 'u17' }, {}]) {
      const call = `select api_audit_list('${JSON.stringify(token(namespace))}', '${JSON.stringify({ ...request, limit: 5 })}')`
      // The first call of a session reads the catalog too.
      const reads: number[] = []
      for (let n = 0; n < 3; n++) reads.push(await blocksRead(call))
      expect(Math.min(...reads), JSON.stringify(request)).toBeLessThan(200)
    }
  })

  it('an unknown account has no trail, and is not made by asking', async () => {
    const namespace = await mintNamespace()
    const stranger = mintAccount()
    expect(await trail(namespace, { account_id: stranger })).toEqual([])
    expect(await sql('select 1 from accounts where external_id = $1', [stranger])).toEqual([])
  })
})
