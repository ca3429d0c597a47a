import { afterAll, beforeAll, expect, test } from 'vitest'
import { compareVersions, type VersionPair } from '../../functions/core/versions.ts'
import { createMemory, type Memory } from '../../functions/decisions/memory.ts'
import { stateName } from '../../functions/decisions/names.ts'
import { createPropagate } from '../../functions/decisions/propagate.ts'
import type { RedisEntry, RedisTier } from '../../functions/decisions/redis.ts'
import type { KeyState } from '../../functions/decisions/state.ts'
import { type LocalRedis, startLocalRedis } from '../support/redis.ts'
import { snapshotOf } from '../support/snapshots.ts'

/**
 * Writers race with readers: each reads or changes the truth at one moment, and what it saw reaches its isolate's
 * memory and Redis at later moments, in any order with what others saw. Each schedule is of one seed.
 */
const SCHEDULES = 1000
const SCOPES = [null, 'us', 'us/h100']
const ACCOUNT = 'acct'
const RESOURCE = 'benchmark_runs'
/** Of what reaches Redis, and what a request to Postgres may take. */
const MAX_AGE_MS = 5000

type Step = () => Promise<void>

let local: LocalRedis
let tier: RedisTier
beforeAll(async () => {
  local = await startLocalRedis({ engine: 'server' })
  tier = local.tier()
})
afterAll(() => local.stop())

/** Numbers from 0 to 1 that depend on the seed alone: mulberry32. */
function randomOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

function createSchedule(seed: number) {
  const random = randomOf(seed)
  const pick = <Item>(items: readonly Item[]): Item => {
    const item = items[Math.floor(random() * items.length)]
    if (item === undefined) throw new RangeError('nothing to pick from')
    return item
  }
  const namespace = `s${seed}`
  const name = stateName(namespace, ACCOUNT, RESOURCE)
  const truth = { key: 1, config: 1 }
  const memories: Memory[] = Array.from({ length: 2 }, () => createMemory(MAX_AGE_MS))
  const propagates = memories.map((memory) => createPropagate(memory, tier))

  /** Most are quick; some reach Redis so late that they are dropped, if not so late as if the database was restored. */
  const startedAt = () => Date.now() - (random() < 0.15 ? MAX_AGE_MS + 500 : Math.floor(random() * 900))

  function stateNow(scope: string | null, readAtMs: number): KeyState {
    const value = snapshotOf({ namespace, scope, key_version: truth.key, config_version: truth.config })
    return {
      keyVersion: truth.key,
      configVersion: truth.config,
      readAtMs,
      scopes: new Map([[scope ?? '', { value, readAtMs }]]),
      holders: null,
    }
  }

  function fill(): Step[] {
    const memory = pick(memories)
    const scope = pick(SCOPES)
    const readAtMs = startedAt()
    let state: KeyState
    let entry: RedisEntry
    return [
      async () => {
        state = stateNow(scope, readAtMs)
        entry = {
          epoch: { namespace, config_version: truth.config, clock_offset_ms: 0 },
          readAtMs,
          states: new Map([[name, state]]),
        }
      },
      async () => {
        memory.learnEpoch(entry.epoch, 'postgres', readAtMs)
        memory.learnState(name, state, readAtMs)
      },
      async () => {
        await tier.write([entry], new Map(), false)
      },
    ]
  }

  function use(): Step[] {
    const propagate = pick(propagates)
    const scope = pick(SCOPES)
    const readAtMs = startedAt()
    const knowsState = random() < 0.5
    let tell: Step
    return [
      async () => {
        truth.key += 1
        const snapshot = snapshotOf({ namespace, scope, key_version: truth.key, config_version: truth.config })
        const key = { account_id: ACCOUNT, resource: RESOURCE, key_version: truth.key, holders: null }
        const change = {
          namespace,
          config_version: truth.config,
          clock_offset_ms: 0,
          keys: [{ ...key, snapshot: knowsState ? snapshot : null }],
          api_keys: [],
        }
        tell = async () => void (await propagate([change], { readAtMs, isAwaited: true }))
      },
      () => tell(),
    ]
  }

  function configure(): Step[] {
    const propagate = pick(propagates)
    let config: number
    return [
      async () => {
        config = truth.config += 1
      },
      async () => {
        const change = { namespace, config_version: config, clock_offset_ms: 0, keys: [], api_keys: [] }
        await propagate([change], { readAtMs: Date.now(), isAwaited: true })
      },
    ]
  }

  function readRedis(): Step[] {
    const memory = pick(memories)
    const scope = pick(SCOPES)
    let answer: Awaited<ReturnType<RedisTier['read']>>
    return [
      async () => {
        const keys = [{ account_id: ACCOUNT, resource: RESOURCE, scope }]
        answer = await tier.read({ namespace, keyHash: null, keys, holders: false })
      },
      async () => {
        const state = answer?.states[0]
        if (!answer?.epoch || !memory.learnEpoch(answer.epoch, 'redis', Date.now())) return
        if (state) memory.learnState(name, state, Date.now())
      },
    ]
  }

  /** The steps of each in their order, those of all in any. */
  function interleaved(): Step[] {
    const flush = async () => {
      await local.redis.command(['DEL', name, `ns:${namespace}`], 1000)
      redisSeen = undefined
    }
    const operations = Array.from({ length: 4 + Math.floor(random() * 4) }, () => {
      const dice = random()
      if (dice < 0.4) return fill()
      if (dice < 0.7) return use()
      if (dice < 0.8) return configure()
      return dice < 0.95 ? readRedis() : [flush]
    })
    const steps: Step[] = []
    while (operations.some((operation) => operation.length > 0)) {
      const step = pick(operations.filter((operation) => operation.length > 0)).shift()
      if (step) steps.push(step)
    }
    return steps
  }

  let redisSeen: VersionPair | undefined
  const memorySeen: (VersionPair | undefined)[] = memories.map(() => undefined)

  async function check(): Promise<void> {
    const text = await local.redis.command(['GET', name], 1000)
    if (typeof text === 'string') {
      const [header = '', ...lines] = text.trimEnd().split('\n')
      const [, keyVersion = 0, configVersion = 0] = header.split(' ').map(Number)
      const versions = { keyVersion, configVersion }
      if (redisSeen) expect(compareVersions(versions, redisSeen)).toBeGreaterThanOrEqual(0)
      redisSeen = versions
      for (const line of lines) {
        const [, readAt = ''] = line.split(' ')
        // No sibling of an older version survives, and nothing came in that was too old.
        expect(JSON.parse(line.slice(line.indexOf('{')))).toMatchObject({
          key_version: keyVersion,
          config_version: configVersion,
        })
        expect(Date.now() - Number(readAt)).toBeLessThan(MAX_AGE_MS + 1000)
      }
      expect(keyVersion).toBeLessThanOrEqual(truth.key)
    } else {
      // Nothing but a flush takes it away.
      expect(redisSeen).toBeUndefined()
    }
    for (const [index, memory] of memories.entries()) {
      const state = memory.state(name)
      if (!state) continue
      const seen = memorySeen[index]
      if (seen) expect(compareVersions(state, seen)).toBeGreaterThanOrEqual(0)
      memorySeen[index] = state
      for (const { value } of state.scopes.values()) {
        expect([value.key_version, value.config_version]).toEqual([state.keyVersion, state.configVersion])
      }
    }
  }

  return { steps: interleaved(), check }
}

test(`${SCHEDULES} schedules: no older version replaces a newer one, no sibling scope survives a write`, async () => {
  const PARALLEL = 20
  for (let first = 0; first < SCHEDULES; first += PARALLEL) {
    const seeds = Array.from({ length: PARALLEL }, (_, index) => first + index)
    await Promise.all(
      seeds.map(async (seed) => {
        const { steps, check } = createSchedule(seed)
        for (const [index, step] of steps.entries()) {
          await step()
          await check().catch((error: unknown) => {
            throw new Error(`seed ${seed}, after step ${index + 1} of ${steps.length}: ${error}`, { cause: error })
          })
        }
      }),
    )
  }
}, 120_000)
