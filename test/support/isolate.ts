import { createApp } from '../../functions/app.ts'
import { createBreaker } from '../../functions/decisions/breaker.ts'
import { createMemory, MEMORY_MS } from '../../functions/decisions/memory.ts'
import { createPropagate } from '../../functions/decisions/propagate.ts'
import { createRedisTier, type RedisTier } from '../../functions/decisions/redis.ts'
import { createObserve, type Observation } from '../../functions/http/observe.ts'
import type { RateLimiters } from '../../functions/http/rate-limit.ts'
import { createSignHeads } from '../../functions/maintenance/sign-heads.ts'
import { createRunStep } from '../../functions/maintenance/step.ts'
import { createGateway } from '../../functions/store/gateway.ts'
import { createRedis } from '../../functions/store/redis.ts'

/** A clock that stands still from when it was made, but for what it is moved by. */
export interface Clock {
  nowMs(): number
  advance(ms: number): void
}

export function createClock(): Clock {
  let nowMs = Date.now()
  return {
    nowMs: () => nowMs,
    advance(ms) {
      nowMs += ms
    },
  }
}

export interface IsolateStores {
  readonly workerUrl: string
  readonly neonEndpoint: string
  readonly upstashUrl: string
  readonly upstashToken: string
  readonly jwtSecret: string
  readonly keyPepper: string
  readonly devKey: string
}

export interface IsolateOptions {
  /** Shared by isolates that are to agree on the time; real time when absent. */
  readonly clock?: Clock
  readonly redis?: boolean
  /** False: the platform ends the isolate with the answer, so that nothing left for later reaches Redis. */
  readonly background?: boolean
  readonly limiters?: RateLimiters
  readonly postgresBudgetMs?: number
}

export interface Isolate {
  fetch(method: string, path: string, body: unknown, headers: Record<string, string>): Promise<Response>
  /** Resolves when all that was left for after the answers is done. */
  settled(): Promise<void>
  /** What was observed of each request. */
  readonly observations: readonly Observation[]
  /** What the service waited for, in milliseconds. */
  readonly waits: readonly number[]
}

/** The whole service with a memory of its own: as another isolate, on the same stores, has it. */
export function buildIsolate(stores: IsolateStores, options: IsolateOptions = {}): Isolate {
  const nowMs = options.clock?.nowMs ?? (() => Date.now())
  const postgresBudgetMs = options.postgresBudgetMs ?? 5000
  const memory = createMemory(postgresBudgetMs)
  const redis = options.redis === false ? null : redisTierOf(stores, options, nowMs)
  const left: Promise<unknown>[] = []
  const observations: Observation[] = []
  const waits: number[] = []
  const observe = createObserve(undefined)
  const gateway = createGateway({
    databaseUrl: stores.workerUrl,
    fetchEndpoint: stores.neonEndpoint,
    budgetMs: postgresBudgetMs,
  })
  const app = createApp({
    gateway,
    runStep: createRunStep(gateway, createSignHeads({ gateway, signer: null, bucket: undefined })),
    tiers: { memory, redis, nowMs, memoryMs: MEMORY_MS, maxStalenessMs: 60_000, staleIfErrorMs: 600_000 },
    propagate: createPropagate(memory, redis),
    secrets: { jwtSecrets: [stores.jwtSecret], keyPepper: stores.keyPepper, devKey: stores.devKey },
    limiters: options.limiters ?? { requestsPerKey: undefined, failedAuthPerAddress: undefined },
    observe(observation) {
      observations.push(observation)
      observe(observation)
    },
    nowMs,
    async wait(ms) {
      waits.push(ms)
    },
    randomBytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
    newRequestId: () => crypto.randomUUID(),
  })
  const context = {
    waitUntil: (work: Promise<unknown>) => void left.push(work),
    passThroughOnException() {},
    props: {},
  }
  return {
    observations,
    waits,
    async fetch(method, path, body, headers) {
      const request = new Request(`https://mec.test${path}`, {
        method,
        headers: { 'Content-Type': 'application/json', ...headers },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      return app.fetch(request, {}, context)
    },
    async settled() {
      while (left.length > 0) await left.pop()
    },
  }
}

function redisTierOf({ upstashUrl, upstashToken }: IsolateStores, options: IsolateOptions, nowMs: () => number) {
  const tier = createRedisTier({
    redis: createRedis({ url: upstashUrl, token: upstashToken }),
    breaker: createBreaker(nowMs, 3000),
    readBudgetMs: 300,
    keyRecordTtlMs: 600_000,
  })
  if (options.background !== false) return tier
  const onlyAwaited: RedisTier = {
    read: tier.read,
    write: async (entries, records, isAwaited) => isAwaited && tier.write(entries, records, isAwaited),
  }
  return onlyAwaited
}
