import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { schemaSql } from '../../../database/dump-schema.ts'
import {
  accountId,
  consume,
  grant,
  keyed,
  meter,
  reserve,
  reverse,
  ruleFor,
  setClock,
  textAt,
} from '../../support/commands.ts'
import { withClient, withScratchDatabase } from '../../support/scratch.ts'
import { type Answer, api, mintAccount, mintNamespace, sql, token } from '../../support/sql.ts'

const RESOURCE = 'gpu_hours'
const use = { resource: RESOURCE }

interface World {
  readonly account: string
  readonly namespace: string
}

async function mint(fields: Answer = {}): Promise<World> {
  const world = { account: mintAccount(), namespace: await mintNamespace() }
  await setClock(world.namespace, '2031-05-10T12:00:00Z')
  await grant(
    world.account,
    { ...use, window: 'calendar_month', effective_start: '2031-01-01T00:00:00Z', ...fields },
    world.namespace,
  )
  return world
}

/** Whether a consume may continue: what was left is of the present version. */
async function stands({ account, namespace }: World): Promise<boolean> {
  const [row] = await sql<{ stands: boolean }>(
    `select (continuation).key_version is not distinct from key_version as stands from resource_state
     where account_id = $1 and resource_type_code = $2`,
    [await accountId(account, namespace), RESOURCE],
  )
  return row?.stands ?? false
}

describe('the next consume', () => {
  it('takes up what the last one left, and after any other command it does not', async () => {
    const { account, namespace } = await mint()
    const verdicts = async () =>
      (await api('api_consume', { ...keyed(), ...use, account_id: account, quantity: 1 }, token(namespace)))['verdicts']
    const mark = async () => {
      await verdicts()
      await sql(`update resource_state set continuation.verdicts = '"taken up"' where account_id = $1`, [
        await accountId(account, namespace),
      ])
    }
    await mark()
    expect(await verdicts()).toBe('taken up')
    for (const command of [
      () => meter(account, use, namespace),
      () => ruleFor(account, { ...use, action: 'block' }, namespace),
      () => ruleFor(null, { ...use, action: 'block' }, namespace),
      () => setClock(namespace, '2031-05-11T12:00:00Z'),
      () => api('api_account_patch', { account_id: account, timezone: 'Asia/Tokyo' }, token(namespace)),
    ]) {
      await mark()
      await command()
      expect(await verdicts()).toMatchObject([{ outcome: 'allow' }])
    }
  })

  it('bills as the last one did, each by its own quantity', async () => {
    const { account, namespace } = await mint({ quantity: null })
    await ruleFor(account, { ...use, action: 'overage', overage_multiplier: 2 }, namespace)
    for (const quantity of [1, 3, 0.5]) await consume(account, { ...use, quantity }, namespace)
    expect(await stands({ account, namespace })).toBe(true)
    expect(
      await sql(
        `select billable_quantity::float as billable, billable_amount::float as amount, used::float from entitlement_windows where account_id = $1`,
        [await accountId(account, namespace)],
      ),
    ).toEqual([{ billable: 4.5, amount: 9, used: 4.5 }])
  })

  it('finds nothing to take up where something else moves the state', async () => {
    const worlds: Record<string, (world: World) => Promise<unknown>> = {
      'a rolling window': ({ account, namespace }) => grant(account, { ...use, window: 'rolling_24h' }, namespace),
      'a hold': ({ account, namespace }) => reserve(account, use, namespace),
      'a lease limit': ({ account, namespace }) => grant(account, { ...use, limit_kind: 'concurrency' }, namespace),
      'time access': ({ account, namespace }) => grant(account, { ...use, limit_kind: 'time_access' }, namespace),
      'a limit exceeded in another scope': async ({ account, namespace }) => {
        await ruleFor(account, { ...use, action: 'warn' }, namespace)
        await grant(account, { ...use, scope: 'us', quantity: 1, priority: 1 }, namespace)
        await meter(account, { ...use, scope: 'us', quantity: 200 }, namespace)
      },
      'a running grace clock': async ({ account, namespace }) => {
        await ruleFor(account, { ...use, action: 'grace', grace_seconds: 7200 }, namespace)
        const metered = await meter(account, { ...use, quantity: 120 }, namespace)
        await reverse(textAt(metered, 'entry.entry_id'), {}, namespace)
      },
    }
    for (const [what, prepare] of Object.entries(worlds)) {
      const world = await mint()
      await prepare(world)
      await consume(world.account, use, world.namespace)
      expect({ what, stands: await stands(world) }).toEqual({ what, stands: false })
    }
    const world = await mint()
    await consume(world.account, use, world.namespace)
    expect(await stands(world)).toBe(true)
  })
})

describe('a check', () => {
  it('takes up what the last consume left, for its scope and its time; not after any other command, nor for another moment', async () => {
    const { account, namespace } = await mint()
    const read = async (fields: Answer = {}) =>
      (await api('api_snapshot', { ...use, account_id: account, ...fields }, token(namespace)))['suspended']
    const mark = async () => {
      await consume(account, use, namespace)
      await sql(
        `update resource_state set continuation.snapshot = (continuation).snapshot || '{"suspended":"taken up"}' where account_id = $1`,
        [await accountId(account, namespace)],
      )
    }
    await mark()
    expect(await read()).toBe('taken up')
    expect(await read({ scope: 'us' })).toBe(false)
    expect(await read({ at: '2031-05-10T12:00:00Z' })).toBe(false)
    for (const command of [
      () => meter(account, use, namespace),
      () => ruleFor(account, { ...use, action: 'block' }, namespace),
      () => ruleFor(null, { ...use, action: 'block' }, namespace),
      () => setClock(namespace, '2031-05-11T12:00:00Z'),
      () => api('api_account_patch', { account_id: account, timezone: 'Asia/Tokyo' }, token(namespace)),
      // As time does: no version moves, but the month ends.
      () =>
        sql("update namespaces set clock_offset = clock_offset + interval '31 days' where namespace_id = $1", [
          namespace,
        ]),
    ]) {
      await mark()
      expect(await read()).toBe('taken up')
      await command()
      expect(await read()).toBe(false)
    }
  })
})

it('what the functions of before left is not taken up, nor what they leave before the new ones are there', async () => {
  const read = (file: string) => readFile(new URL(`../../../${file}`, import.meta.url), 'utf8')
  await withScratchDatabase(async (connectionString) => {
    await withClient(connectionString, async (client) => {
      // Without the roles, which databases share: who migrates another one now would change them at the same time.
      await client.query((await schemaSql()).replace(await read('database/roles.sql'), ''))
      await client.query(await read('database/seed.sql'))
      const call = async (name: string, fields: Answer) => {
        const request = { ...use, account_id: 'a', quantity: 1, ...fields }
        const { rows } = await client.query(`select ${name}($1, $2) as answer`, [token('default'), request])
        return rows[0]?.answer
      }
      const consumeAndMark = async () => {
        await call('api_consume', keyed())
        await client.query(
          `update resource_state set continuation.snapshot = (continuation).snapshot || '{"suspended":"taken up"}'
           where (continuation).snapshot is not null`,
        )
        return (await call('api_snapshot', {}))['suspended']
      }
      await call('api_entitlement_grant', { limit_kind: 'cumulative', quantity: 100, idempotency_key: randomUUID() })
      expect(await consumeAndMark()).toBe('taken up')
      await client.query(await read('drizzle/migrations/0014_on_error_by_kind.sql'))
      expect((await call('api_snapshot', {}))['suspended']).toBe(false)
      expect(await consumeAndMark()).toBe(false)
      await client.query(await read('database/functions/fn_continuation.sql'))
      expect((await call('api_snapshot', {}))['suspended']).toBe(false)
      expect(await consumeAndMark()).toBe('taken up')
    })
  })
})
