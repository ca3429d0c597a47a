import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, test } from 'vitest'
import { createBreaker } from '../../functions/decisions/breaker.ts'
import { createLru } from '../../functions/decisions/lru.ts'
import { createMemory } from '../../functions/decisions/memory.ts'
import { stateName } from '../../functions/decisions/names.ts'
import { snapshotOf } from '../support/snapshots.ts'

test('what was used longest ago makes room, by number', () => {
  const lru = createLru<number>(3, 1000)
  for (const name of ['a', 'b', 'c']) lru.set(name, 1, 1)
  lru.get('a')
  lru.set('d', 1, 1)
  expect(['a', 'b', 'c', 'd'].map((name) => lru.get(name))).toEqual([1, undefined, 1, 1])
})

test('and by size: of one that is replaced the new size counts, and one that is too large is not kept', () => {
  const lru = createLru<number>(100, 10)
  lru.set('a', 1, 4)
  lru.set('b', 1, 4)
  lru.set('a', 2, 6)
  expect([lru.get('a'), lru.get('b')]).toEqual([2, 1])
  lru.set('c', 1, 5)
  expect([lru.get('a'), lru.get('b'), lru.get('c')]).toEqual([undefined, 1, 1])
  lru.set('d', 1, 11)
  expect(['b', 'c', 'd'].map((name) => lru.get(name))).toEqual([undefined, undefined, undefined])
})

test('memory is flat over 10^6 fills of 10^5 accounts', () => {
  const memory = createMemory(5000)
  const heapAfter: number[] = []
  setFlagsFromString('--expose-gc')
  const collectGarbage: () => void = runInNewContext('gc')
  for (let fill = 0; fill < 1_000_000; fill++) {
    const name = stateName('default', `acct-${(fill * 7919) % 100_000}`, 'benchmark_runs')
    const value = snapshotOf({ key_version: fill })
    const scopes = new Map([['', { value, readAtMs: 0 }]])
    memory.learnState(name, { keyVersion: fill, configVersion: 1, readAtMs: 0, scopes, holders: null }, 0)
    if (fill % 250_000 === 249_999) {
      collectGarbage()
      heapAfter.push(process.memoryUsage().heapUsed / 2 ** 20)
    }
  }
  // 10^5 accounts alone would be more than 100 MiB.
  expect(Math.max(...heapAfter)).toBeLessThan(50)
  expect(Math.max(...heapAfter) / Math.min(...heapAfter)).toBeLessThan(1.05)
}, 60_000)

test('a breaker is open for as long as it was told, and closed by a success', () => {
  let now = 0
  const breaker = createBreaker(() => now, 3000)
  expect(breaker.isOpen()).toBe(false)
  breaker.open()
  now = 2999
  expect(breaker.isOpen()).toBe(true)
  now = 3000
  expect(breaker.isOpen()).toBe(false)
  breaker.open()
  breaker.close()
  expect(breaker.isOpen()).toBe(false)
})

describe('after a restore versions begin anew', () => {
  const state = (keyVersion: number, configVersion: number, readAtMs: number, scope = '') => {
    const value = snapshotOf({ key_version: keyVersion, config_version: configVersion, scope: scope || null })
    return { keyVersion, configVersion, readAtMs, scopes: new Map([[scope, { value, readAtMs }]]), holders: null }
  }
  const epoch = (config_version: number) => ({ namespace: 'default', config_version, clock_offset_ms: 0 })

  test('an older state wins if it began to be read when nothing of before could still be under way', () => {
    const memory = createMemory(5000)
    expect(memory.learnState('n', state(17, 3, 1000), 1000)).toBe(true)
    expect(memory.learnState('n', state(17, 3, 2000, 'us'), 2000)).toBe(true)
    for (const older of [state(1, 1, 8000), state(16, 3, 8000), state(17, 2, 8000)]) {
      expect(memory.learnState('n', older, 60_000)).toBe(false)
    }
    expect(memory.learnState('n', state(1, 1, 8001), 8001)).toBe(true)
    // All of it: nothing of before the restore is left beside it.
    expect(memory.state('n')).toMatchObject({ keyVersion: 1, configVersion: 1, readAtMs: 8001 })
    expect([...(memory.state('n')?.scopes.keys() ?? [])]).toEqual([''])
    expect(memory.learnState('n', state(2, 1, 8001), 8001)).toBe(true)
  })

  test('so does an older epoch, if Postgres says so: in Redis it may be what a lost write left', () => {
    const memory = createMemory(5000)
    expect(memory.learnEpoch(epoch(7), 'postgres', 1000)).toBe(true)
    expect(memory.learnEpoch(epoch(7), 'redis', 2000)).toBe(true)
    expect(memory.learnEpoch(epoch(6), 'redis', 1_000_000)).toBe(false)
    expect(memory.learnEpoch(epoch(6), 'postgres', 8000)).toBe(false)
    expect(memory.epoch('default')).toMatchObject({ config_version: 7 })
    expect(memory.learnEpoch(epoch(6), 'postgres', 8001)).toBe(true)
    expect(memory.epoch('default')).toMatchObject({ config_version: 6 })
  })
})
