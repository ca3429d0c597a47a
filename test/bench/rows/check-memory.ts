import { MEMORY_MS } from '../../../functions/decisions/memory.ts'
import { fillRedis, prepareCrowd } from '../support/crowd.ts'
import { duel, p50, rate, upstream } from '../support/duel.ts'
import type { Target } from '../support/load.ts'
import type { Bench, Row } from '../support/row.ts'

const what = '/check from memory'
const against = 'a bare route in Hono'
/** Checked in turn, once they are in memory. */
const ACCOUNTS = 16
/** Leaves time to fill the memory before it. */
const TURN_MS = MEMORY_MS / 2

async function run(bench: Bench) {
  const { cloud, effort } = bench
  const headers = { ...cloud.headers, 'content-type': 'application/json' }
  const crowd = await prepareCrowd(bench)
  const filler = cloud.isolate()
  const { url, honoUrl } = await cloud.mec()
  const checkUrl = new URL('/v1/check', url).href
  let first = 0
  const body = (number: number) =>
    JSON.stringify({ account_id: crowd.account(first + (number % ACCOUNTS)), resource: 'benchmark_runs', quantity: 1 })

  async function decide(number: number): Promise<string> {
    const response = await fetch(checkUrl, { method: 'POST', headers, body: body(number) })
    const text = await response.text()
    if (!response.ok) throw new Error(`/v1/check answered ${response.status}: ${text}`)
    return text
  }

  const check: Target = {
    url: checkUrl,
    headers,
    status: 200,
    goodForMs: MEMORY_MS,
    async prepare() {
      // Accounts that are in memory from an earlier turn would not be filled anew, and be too old in the midst of this one.
      first += ACCOUNTS
      const accounts = Array.from({ length: ACCOUNTS }, (_, index) => crowd.account(first + index))
      await fillRedis(filler, cloud.headers, accounts)
      await Promise.all(accounts.map((_, index) => decide(index)))
    },
    body,
  }
  const bareUrl = new URL('/v1/check', honoUrl).href
  await check.prepare?.(0)
  await fetch(bareUrl, { method: 'PUT', body: await decide(0) })
  const bare: Target = { url: bareUrl, headers, status: 200, body }
  const turn = effort === 'full' ? { requests: 10_000, ms: TURN_MS } : { requests: 40, ms: TURN_MS }
  const result = await duel(bench, check, bare, { turn })
  return [
    rate(result, { what: `${what}: requests`, against, goal: { atLeast: 0.85 } }),
    p50(result, { what: `${what}: p50`, against, goal: 'report' }),
    upstream(result, what, 'redisRequests', 0),
    upstream(result, what, 'databaseRequests', 0),
  ]
}

export const checkMemory: Row = { name: 'check-memory', run }
