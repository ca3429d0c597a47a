import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
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
  const memory = createMemory(() => 0, 600_000)
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

test('after a restore, versions that begin anew are taken once what was known has outlived its use', () => {
  let now = 0
  const memory = createMemory(() => now, 600_000)
  const state = (keyVersion: number) => ({
    keyVersion,
    configVersion: 1,
    readAtMs: now,
    scopes: new Map(),
    holders: null,
  })
  expect(memory.learnState('n', state(17), now)).toBe(true)
  now = 599_999
  expect(memory.learnState('n', state(1), now)).toBe(false)
  now = 600_000
  expect(memory.learnState('n', state(1), now)).toBe(true)
})
