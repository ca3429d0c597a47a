import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createMemory } from '../../functions/decisions/memory.ts'
import { stateName } from '../../functions/decisions/names.ts'
import type { RedisTier } from '../../functions/decisions/redis.ts'
import type { KeyState } from '../../functions/decisions/state.ts'
import { type LocalRedis, startLocalRedis } from '../support/redis.ts'
import { snapshotOf } from '../support/snapshots.ts'

const BUDGET_MS = 5000
const SCOPES = ['', 'us', 'us/h100', 'a b:c', '@', 'ü/%20']

function stateOf(keyVersion: number, configVersion: number, readAtMs: number, scopes: readonly string[]): KeyState {
  return {
    keyVersion,
    configVersion,
    readAtMs,
    scopes: new Map(
      scopes.map((scope) => {
        const value = snapshotOf({
          key_version: keyVersion,
          config_version: configVersion,
          scope: scope || null,
          // So that it can be told which reading stayed.
          as_of: new Date(readAtMs).toISOString(),
        })
        return [scope, { value, readAtMs }]
      }),
    ),
    holders: null,
  }
}

const epochOf = (config_version: number) => ({ namespace: 'default', config_version, clock_offset_ms: 0 })

let account = 0
const nextAccount = () => `acct ${++account}:%/\n`.trim()

async function scopesIn(tier: RedisTier, account_id: string, scopes: readonly string[]) {
  const keys = scopes.map((scope) => ({ account_id, resource: 'benchmark_runs', scope: scope || null }))
  const answer = await tier.read({ namespace: 'default', keyHash: null, keys, holders: true })
  return answer?.states.map((state, index) => {
    const found = state?.scopes.get(scopes[index] ?? '')
    return found && { keyVersion: state?.keyVersion, configVersion: state?.configVersion, readAtMs: found.readAtMs }
  })
}

describe.each(['server', 'embedded'] as const)('versions in Redis (%s) and memory', (engine) => {
  let local: LocalRedis
  let tier: RedisTier
  beforeAll(async () => {
    local = await startLocalRedis({ engine })
    tier = local.tier()
  })
  afterAll(() => local.stop())

  const write = (account_id: string, state: KeyState) =>
    tier.write(
      [
        {
          epoch: epochOf(state.configVersion),
          readAtMs: state.readAtMs,
          states: new Map([[stateName('default', account_id, 'benchmark_runs'), state]]),
        },
      ],
      new Map(),
      false,
    )

  test('both keep the same after any sequence of writes', async () => {
    const stored = fc.record({
      key: fc.integer({ min: 1, max: 3 }),
      config: fc.integer({ min: 1, max: 3 }),
      age: fc.integer({ min: 0, max: 900 }),
      scopes: fc.uniqueArray(fc.constantFrom(...SCOPES), { maxLength: 3 }),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(stored, { minLength: 1, maxLength: 8 }), async (writes) => {
        const account_id = nextAccount()
        const name = stateName('default', account_id, 'benchmark_runs')
        const memory = createMemory(BUDGET_MS)
        const now = Date.now()
        for (const { key, config, age, scopes } of writes) {
          const state = stateOf(key, config, now - age, scopes)
          expect(await write(account_id, state)).toBe(true)
          memory.learnState(name, state, now)
        }
        const known = memory.state(name)
        const expected = SCOPES.map((scope) => {
          const found = known?.scopes.get(scope)
          return (
            found && {
              keyVersion: known?.keyVersion,
              configVersion: known?.configVersion,
              readAtMs: found.readAtMs,
            }
          )
        })
        expect(await scopesIn(tier, account_id, SCOPES)).toEqual(expected)
        // And the rule itself: what stays is of the highest version written.
        const highest = writes.toSorted((a, b) => b.key - a.key || b.config - a.config)[0]
        expect([known?.keyVersion, known?.configVersion]).toEqual([highest?.key, highest?.config])
      }),
      { numRuns: engine === 'server' ? 200 : 50 },
    )
  })

  test('what is more than 5 s old when it arrives is dropped', async () => {
    const account_id = nextAccount()
    await write(account_id, stateOf(9, 1, Date.now() - 6000, ['']))
    expect(await scopesIn(tier, account_id, [''])).toEqual([undefined])
    await write(account_id, stateOf(1, 1, Date.now() - 4000, ['']))
    expect(await scopesIn(tier, account_id, [''])).toEqual([expect.objectContaining({ keyVersion: 1 })])
  })

  test('of more than 64 scopes the oldest go', async () => {
    const account_id = nextAccount()
    const now = Date.now()
    const scopes = Array.from({ length: 70 }, (_, index) => `s${index}`)
    for (const [index, scope] of scopes.entries()) await write(account_id, stateOf(1, 1, now - 1000 + index, [scope]))
    const found = (await scopesIn(tier, account_id, scopes)) ?? []
    expect(found.map((scope) => scope !== undefined)).toEqual(scopes.map((_, index) => index >= 6))
  })

  test('a higher version without a snapshot leaves none behind', async () => {
    const account_id = nextAccount()
    await write(account_id, stateOf(1, 1, Date.now(), ['', 'us']))
    await write(account_id, stateOf(2, 1, Date.now(), []))
    await write(account_id, stateOf(1, 1, Date.now(), ['']))
    expect(await scopesIn(tier, account_id, ['', 'us'])).toEqual([undefined, undefined])
  })

  test('an older configuration of a namespace does not replace a newer one', async () => {
    const namespace = `ns-${engine}`
    for (const config_version of [1, 3, 2]) {
      const epoch = { namespace, config_version, clock_offset_ms: config_version * 1000 }
      await tier.write([{ epoch, readAtMs: Date.now(), states: new Map() }], new Map(), false)
    }
    const answer = await tier.read({ namespace, keyHash: null, keys: [], holders: false })
    expect(answer?.epoch).toEqual({ namespace, config_version: 3, clock_offset_ms: 3000 })
  })

  test('a key of another type, or with garbage in it, is replaced', async () => {
    const account_id = nextAccount()
    const name = stateName('default', account_id, 'benchmark_runs')
    for (const spoil of [
      ['RPUSH', name, 'x'],
      ['SET', name, '{"v":0}'],
      ['SET', name, `1 99 99 1 ${name}x\n`],
    ]) {
      await local.redis.command(['DEL', name], 1000)
      await local.redis.command(spoil, 1000)
      expect(await scopesIn(tier, account_id, [''])).toEqual([undefined])
      expect(await write(account_id, stateOf(1, 1, Date.now(), ['']))).toBe(true)
      expect(await scopesIn(tier, account_id, [''])).toEqual([expect.objectContaining({ keyVersion: 1 })])
    }
  })

  test('the script is found again after Redis has forgotten it', async () => {
    const account_id = nextAccount()
    await local.redis.command(['SCRIPT', 'FLUSH'], 1000)
    expect(await write(account_id, stateOf(1, 1, Date.now(), ['']))).toBe(true)
    expect(await scopesIn(tier, account_id, [''])).toEqual([expect.objectContaining({ keyVersion: 1 })])
  })

  test('1,000 keys are written in one request', async () => {
    const states = new Map(
      Array.from({ length: 1000 }, () => {
        const state = stateOf(5, 1, Date.now(), [])
        return [stateName('default', nextAccount(), 'benchmark_runs'), state]
      }),
    )
    const before = local.proxy.stats.snapshot().requests
    expect(await tier.write([{ epoch: epochOf(1), readAtMs: Date.now(), states }], new Map(), false)).toBe(true)
    expect(local.proxy.stats.snapshot().requests - before).toBe(1)
  })
})
