import { stateName } from '../../../functions/decisions/names.ts'
import { fillRedis, prepareCrowd } from '../support/crowd.ts'
import { duel, ONE_AT_A_TIME, p50, upstream } from '../support/duel.ts'
import type { Target } from '../support/load.ts'
import type { Bench, Row } from '../support/row.ts'

const what = '/check from Redis'

/** Each check is of an account that this isolate's memory has not seen, and that another isolate has read a moment ago. */
async function run(bench: Bench) {
  const { cloud } = bench
  const { headers } = cloud
  const crowd = await prepareCrowd(bench)
  const filler = cloud.isolate()
  const { url } = await cloud.mec()
  let asked = 0
  let got = 0
  let ready: string[] = []
  const check: Target = {
    url: new URL('/v1/check', url).href,
    headers,
    status: 200,
    async prepare(requests) {
      got = asked
      ready = Array.from({ length: requests }, (_, index) => crowd.account(asked + index))
      await fillRedis(filler, headers, ready)
    },
    body: () => JSON.stringify({ account_id: crowd.account(asked++), resource: 'benchmark_runs', quantity: 1 }),
  }
  /** On the keys that the checks before it have read. */
  const bare = async (baseline: string): Promise<Target> => ({
    url: await cloud.baseline(baseline),
    headers: {},
    status: 200,
    // As before the checks: what it leaves to do hits both.
    prepare: () => fillRedis(filler, headers, ready),
    body: () => stateName('default', crowd.account(got++), 'benchmark_runs'),
  })
  const result = await duel(bench, check, await bare('redis-get'), ONE_AT_A_TIME)
  const peer = await duel(bench, check, await bare('ratelimit'), ONE_AT_A_TIME)
  const busy = await duel(bench, check, await bare('redis-get'))
  return [
    p50(result, { what: `${what}: p50`, against: 'one redis.get', goal: { atMost: 1.15 } }),
    upstream(result, what, 'redisRequests', 1),
    upstream(result, what, 'redisCommands', 1),
    upstream(result, what, 'databaseRequests', 0),
    p50(peer, { what: `${what}: p50`, against: '@upstash/ratelimit limit()', goal: { below: 1 } }),
    p50(busy, { what: `${what}: p50, 4 at a time`, against: 'one redis.get', goal: 'report' }),
  ]
}

export const checkRedis: Row = { name: 'check-redis', run }
