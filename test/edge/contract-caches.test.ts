import { expect, test } from 'vitest'
import { mintAccount, mintNamespace, type Namespace } from '../support/edge.ts'
import { advance, assign, bodyOf, check, consume, grant, key, meter, reserve, rule } from '../support/edge-commands.ts'
import type { JsonObject } from '../support/json-path.ts'
import { textAt } from '../support/json-path.ts'

/** As applications ask: without a word on staleness. */
const ask = (namespace: Namespace, account: string, fields: JsonObject = {}) =>
  check(namespace, account, { max_staleness_ms: null, ...fields })

type World = { namespace: Namespace; account: string; id: string }
type Row = readonly [
  name: string,
  prepare: (world: Omit<World, 'id'>) => Promise<string | undefined>,
  change: (world: World) => Promise<unknown>,
  asked: JsonObject,
  seen: JsonObject,
]

const nothing = async () => undefined
const entryOf = async ({ namespace, account }: Omit<World, 'id'>) =>
  textAt(await bodyOf(201, meter(namespace, account, { quantity: 4 })), 'entry.entry_id')
const holdOf = async ({ namespace, account }: Omit<World, 'id'>) =>
  textAt(await bodyOf(201, reserve(namespace, account, { quantity: 5 })), 'reservation.reservation_id')
const post = ({ namespace }: World, path: string, body: unknown) => bodyOf(200, namespace.call('POST', path, body))
const patch = ({ namespace, account }: World, body: unknown) =>
  bodyOf(200, namespace.call('PATCH', `/v1/accounts/${account}`, body))

const rows: readonly Row[] = [
  ['a consume', nothing, ({ namespace, account }) => bodyOf(201, consume(namespace, account)), {}, { used: 1 }],
  ['a use', nothing, ({ namespace, account }) => bodyOf(201, meter(namespace, account)), {}, { used: 1 }],
  [
    'a batch of uses',
    nothing,
    (world) =>
      post(world, '/v1/meter/batch', {
        entries: [{ ...key(), account_id: world.account, resource: 'benchmark_runs', quantity: 3 }],
      }),
    {},
    { used: 3 },
  ],
  [
    'a reversal',
    entryOf,
    ({ namespace, id }) => bodyOf(201, namespace.call('POST', `/v1/ledger/${id}/reverse`, key())),
    {},
    { used: 0 },
  ],
  ['a hold', nothing, (world) => holdOf(world), {}, { held: 5, remaining: 95 }],
  [
    'a commit',
    holdOf,
    (world) => post(world, `/v1/reservations/${world.id}/commit`, { quantity: 2 }),
    {},
    { held: 0, used: 2 },
  ],
  ['a release', holdOf, (world) => post(world, `/v1/reservations/${world.id}/release`, {}), {}, { held: 0 }],
  ['the end of a hold', holdOf, ({ namespace }) => advance(namespace, 3600), {}, { held: 0 }],
  ['a grant', nothing, ({ namespace, account }) => grant(namespace, account, { quantity: 7 }), {}, { limit: 107 }],
  [
    'a rule of the account',
    nothing,
    ({ namespace, account }) => rule(namespace, account, { action: 'overage' }),
    { quantity: 101 },
    { reason: 'over_limit_overage' },
  ],
  [
    'a rule of the resource',
    nothing,
    ({ namespace }) => rule(namespace, null, { action: 'warn' }),
    { quantity: 101 },
    { reason: 'over_limit_warned' },
  ],
  ['a suspension', nothing, (world) => patch(world, { status: 'suspended' }), {}, { reason: 'account_suspended' }],
  [
    'an end of a suspension',
    async ({ namespace, account }) => {
      await bodyOf(200, namespace.call('PATCH', `/v1/accounts/${account}`, { status: 'suspended' }))
      return undefined
    },
    (world) => patch(world, { status: 'active' }),
    {},
    { reason: 'within_limit' },
  ],
  [
    'an assignment',
    async ({ namespace, account }) => {
      await grant(namespace, account, { resource: 'named_users', limit_kind: 'inventory', quantity: 1 })
      return undefined
    },
    ({ namespace, account }) => bodyOf(201, assign(namespace, account, 'ada')),
    { resource: 'named_users' },
    { reason: 'limit_exceeded', used: 1 },
  ],
]

test.each(rows)(
  '%s shows in the next check, whoever had cached what was before',
  async (_, prepare, change, asked, seen) => {
    const namespace = await mintNamespace()
    const account = mintAccount()
    await grant(namespace, account)
    const id = (await prepare({ namespace, account })) ?? ''
    await ask(namespace, account, asked)
    expect(await ask(namespace, account, asked)).toMatchObject({ source: 'memory' })
    await change({ namespace, account, id })
    expect(await ask(namespace, account, asked)).toMatchObject(seen)
  },
)
