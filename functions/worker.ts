import { createApp } from './app.ts'
import { Failure } from './core/failure.ts'
import { EnvironmentError, parseEnvironment } from './env.ts'
import { failureResponse } from './http/errors.ts'
import { runScheduled } from './maintenance/run.ts'
import { createGateway } from './store/gateway.ts'

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
  const app = createApp({
    gateway,
    secrets: {
      jwtSecrets: [env.JWT_SECRET, env.JWT_SECRET_PREVIOUS].filter((secret) => secret !== undefined),
      keyPepper: env.KEY_PEPPER,
      devKey: env.MEC_DEV_KEY,
    },
    nowMs: () => Date.now(),
    randomBytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
    newRequestId: () => crypto.randomUUID(),
  })
  return { app, gateway }
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
    const reports = await runScheduled(service.gateway, controller.cron, crypto.randomUUID())
    console.log(JSON.stringify({ event: 'cron', cron: controller.cron, reports }))
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
