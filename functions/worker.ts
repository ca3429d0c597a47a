import { createApp } from './app.ts'
import { Failure } from './core/failure.ts'
import { createBreaker } from './decisions/breaker.ts'
import { createMemory } from './decisions/memory.ts'
import { createPropagate } from './decisions/propagate.ts'
import { createRedisTier, type RedisTier } from './decisions/redis.ts'
import { type Environment, EnvironmentError, parseEnvironment } from './env.ts'
import { failureResponse } from './http/errors.ts'
import { createHeadSigner } from './http/head-signer.ts'
import { createObserve } from './http/observe.ts'
import { runScheduled } from './maintenance/run.ts'
import { createSignHeads } from './maintenance/sign-heads.ts'
import { createRunStep } from './maintenance/step.ts'
import { createGateway } from './store/gateway.ts'
import { createRedis } from './store/redis.ts'

/** How long Redis is left alone after it failed. */
const REDIS_REST_MS = 3000

type Service = ReturnType<typeof build>
/** Kept per isolate. It holds no request's I/O. */
let service: Service | undefined

function build(bindings: object) {
  const env = parseEnvironment(bindings)
  const gateway = createGateway({
    databaseUrl: env.DATABASE_URL,
    fetchEndpoint: env.NEON_FETCH_ENDPOINT,
    budgetMs: env.POSTGRES_BUDGET_MS,
  })
  const nowMs = () => Date.now()
  const memory = createMemory(env.POSTGRES_BUDGET_MS)
  const redis = redisTierOf(env, nowMs)
  const propagate = createPropagate(memory, redis)
  const { LEDGER_SIGNING_KEY: signingKey } = env
  const signHeads = createSignHeads({
    gateway,
    signer: signingKey === undefined ? null : () => createHeadSigner(signingKey),
    bucket: env.LEDGER_HEADS,
  })
  const runStep = createRunStep(gateway, signHeads)
  const app = createApp({
    gateway,
    runStep,
    tiers: {
      memory,
      redis,
      nowMs,
      memoryMs: env.MEMORY_MS,
      maxStalenessMs: env.MAX_STALENESS_MS,
      staleIfErrorMs: env.STALE_IF_ERROR_MS,
    },
    propagate,
    secrets: {
      jwtSecrets: [env.JWT_SECRET, env.JWT_SECRET_PREVIOUS].filter((secret) => secret !== undefined),
      keyPepper: env.KEY_PEPPER,
      devKey: env.MEC_DEV_KEY,
    },
    limiters: { requestsPerKey: env.REQUESTS_PER_KEY, failedAuthPerAddress: env.FAILED_AUTH_PER_ADDRESS },
    observe: createObserve(env.ANALYTICS),
    nowMs,
    wait: (ms) => scheduler.wait(ms),
    randomBytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
    newRequestId: () => crypto.randomUUID(),
  })
  return { app, runStep, propagate }
}

function redisTierOf(env: Environment, nowMs: () => number): RedisTier | null {
  const { UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: token } = env
  if (url === undefined || token === undefined) return null
  return createRedisTier({
    redis: createRedis({ url, token }),
    breaker: createBreaker(nowMs, REDIS_REST_MS),
    readBudgetMs: env.REDIS_BUDGET_MS,
    keyRecordTtlMs: env.STALE_IF_ERROR_MS,
  })
}

export default {
  fetch(request, bindings, context) {
    try {
      service ??= build(bindings)
    } catch (error) {
      return answerMisconfigured(error)
    }
    return service.app.fetch(request, bindings, context)
  },

  async scheduled(controller, bindings) {
    service ??= build(bindings)
    const { runStep, propagate } = service
    const reports = await runScheduled(runStep, propagate, controller.cron, crypto.randomUUID(), () => Date.now())
    const text = JSON.stringify({ event: 'cron', cron: controller.cron, reports })
    const isFault = reports.some(
      ({ failed, differences, faults }) => failed !== null || differences.length + faults.length > 0,
    )
    if (isFault) console.error(text)
    else console.log(text)
    // So that the platform counts the run as failed, too.
    if (isFault) throw new Error('a cron job failed, or found differences or a broken chain: see its report')
  },
} satisfies ExportedHandler<object>

/** Says which variables are wrong, to whoever is setting the service up; their values stay inside. */
function answerMisconfigured(error: unknown): Response {
  if (!(error instanceof EnvironmentError)) throw error
  console.error(JSON.stringify({ event: 'bad_environment', message: error.message }))
  const requestId = crypto.randomUUID()
  const response = failureResponse(new Failure(503, 'misconfigured', error.message), requestId)
  response.headers.set('X-Request-Id', requestId)
  response.headers.set('Server-Timing', 'total;dur=0.0')
  return response
}
