import type { OpenAPIHono } from '@hono/zod-openapi'
import type { Context } from 'hono'
import type { z } from 'zod'
import type { Propagate, Told } from '../core/changes.ts'
import type { Credential } from '../core/credential.ts'
import { type Authenticate, type Caller, requireAccount, requireScope } from './auth.ts'
import { type Contract, isControlPlane, PROPAGATION_HEADER } from './contract.ts'
import { documentOperation } from './document.ts'
import { createReadInput } from './input.ts'
import type { LimitRequests } from './rate-limit.ts'

/** What one request knows of itself. The app is given it in place of the bindings, which were read before. */
export interface RequestState {
  readonly requestId: string
  /** Time spent in I/O so far, in milliseconds, by what it was spent on. */
  readonly timings: Map<Tier, number>
  /** What is known of it by now, for logs and metrics. */
  readonly facts: Facts
  /** Makes the answer with all its headers at once: to set them on a response afterwards costs more than a decision. */
  readonly answer: (json: string, status: number) => Response
  /** For `answer`, beside those that every response has. */
  readonly headers: Record<string, string>
}
export type ApiContext = Context<{ Bindings: RequestState }>
export type App = OpenAPIHono<{ Bindings: RequestState }>

export type Tier = 'memory' | 'redis' | 'postgres'

/** Nothing in it is secret, or a customer's own. */
export interface Facts {
  operation?: string
  namespace?: string
  /** Of a decision, or of the worst of several. */
  source?: string
  degraded?: boolean
  outcome?: string
}

/** Calls a SQL function as the caller, counts the time, and passes on what it changed. */
export type Ask = <Request, Answer>(
  call: (credential: Credential, request: Request) => Promise<Told<Answer>>,
  request: Request,
) => Promise<Answer>

export interface Exchange<Input> {
  readonly input: Input
  readonly caller: Caller
  readonly ask: Ask
  readonly facts: Facts
  /** Does some I/O and puts its time into `Server-Timing`, whether or not it succeeds. */
  readonly timed: <Result>(tier: Tier, work: () => Promise<Result> | Result) => Promise<Result>
  /** The `Accept` header. */
  readonly accept: () => string | undefined
  /** Work that the answer does not wait for. */
  readonly later: (work: Promise<unknown>) => void
}

export interface ApiDependencies {
  readonly authenticate: Authenticate
  readonly limitRequests: LimitRequests
  readonly propagate: Propagate
  readonly nowMs: () => number
}

export interface Reply<Answer> {
  readonly status: 200 | 201
  readonly body: Answer
  /** The body as JSON, where that is at hand. */
  readonly json?: string
}

export type Handler<Input, Answer> = (exchange: Exchange<Input>) => Promise<Reply<Answer>>

/** An answer that is sent while it is made. What goes wrong once it has begun breaks it off. */
export interface Stream {
  readonly headers: Readonly<Record<string, string>>
  readonly body: ReadableStream<Uint8Array>
}

export interface Api {
  /** Serves an operation and puts it into the OpenAPI document. */
  serve<Input extends z.ZodObject, Answer extends z.ZodType>(
    contract: Contract<Input, Answer>,
    handler: Handler<z.output<Input>, z.input<Answer>>,
  ): void
  /** The same for one of `contract.streams`. */
  stream<Input extends z.ZodObject, Answer extends z.ZodType>(
    contract: Contract<Input, Answer>,
    handler: (exchange: Exchange<z.output<Input>>) => Promise<Stream>,
  ): void
}

export function createApi(app: App, dependencies: ApiDependencies): Api {
  const { authenticate, limitRequests, nowMs } = dependencies

  function serve<Input extends z.ZodObject, Answer extends z.ZodType>(
    contract: Contract<Input, Answer>,
    handler: Handler<z.output<Input>, z.input<Answer>>,
  ): void {
    route(contract, async function answerJson(c, exchange) {
      const { body, status, json = JSON.stringify(body) } = await handler(exchange)
      return c.env.answer(json, status)
    })
  }

  function stream<Input extends z.ZodObject, Answer extends z.ZodType>(
    contract: Contract<Input, Answer>,
    handler: (exchange: Exchange<z.output<Input>>) => Promise<Stream>,
  ): void {
    route(contract, async function answerStream(c, exchange) {
      const { body, headers } = await handler(exchange)
      return c.body(body, 200, headers)
    })
  }

  function route<Input extends z.ZodObject, Answer extends z.ZodType>(
    contract: Contract<Input, Answer>,
    respond: (c: ApiContext, exchange: Exchange<z.output<Input>>) => Promise<Response>,
  ): void {
    documentOperation(app.openAPIRegistry, contract)
    const readInput = createReadInput(contract)
    const isAwaited = isControlPlane(contract)

    /** What can be refused without I/O comes first: who, whether at all, then what. */
    async function serveOperation(c: ApiContext): Promise<Response> {
      const { facts, requestId } = c.env
      facts.operation = contract.operationId
      const caller = await authenticate(c.req.header('authorization'), requestId)
      facts.namespace = caller.namespaceHint
      await limitRequests(caller)
      requireScope(caller.credential, contract.scopes)
      const input = await readInput(c.req.raw)
      requireAccount(caller.credential, Reflect.get(input, 'account_id'))
      const timed: Exchange<unknown>['timed'] = (tier, work) => timeTier(c, nowMs, tier, work)
      return await respond(c, {
        input,
        caller,
        ask: askAs(caller.credential, c, isAwaited, dependencies),
        facts,
        timed,
        accept: () => c.req.header('accept'),
        later: (work) => c.executionCtx.waitUntil(work),
      })
    }
    app.on(contract.method.toUpperCase(), contract.path.replaceAll(/\{(\w+)\}/g, ':$1'), serveOperation)
  }
  return { serve, stream }
}

function askAs(credential: Credential, c: ApiContext, isAwaited: boolean, { propagate, nowMs }: ApiDependencies): Ask {
  return async function ask(call, request) {
    const readAtMs = nowMs()
    const { answer, changes } = await timeTier(c, nowMs, 'postgres', () => call(credential, request))
    if (changes.length === 0) return answer
    const propagated = propagate(changes, { readAtMs, isAwaited })
    if (!isAwaited) c.executionCtx.waitUntil(propagated)
    else if (!(await timeTier(c, nowMs, 'redis', () => propagated))) c.env.headers[PROPAGATION_HEADER] = 'delayed'
    return answer
  }
}

/** Does the work and puts its time into `Server-Timing`, whether or not it succeeds. */
export async function timeTier<Result>(
  c: ApiContext,
  nowMs: () => number,
  tier: Tier,
  work: () => Promise<Result> | Result,
): Promise<Result> {
  const start = nowMs()
  try {
    return await work()
  } finally {
    const { timings } = c.env
    timings.set(tier, (timings.get(tier) ?? 0) + nowMs() - start)
  }
}

/** A handler that asks one SQL function and answers what it says. */
export function forward<Input, Answer>(
  call: (credential: Credential, request: Input) => Promise<Told<Answer>>,
  status: 200 | 201 = 200,
): Handler<Input, Answer> {
  return async function forwardToSql({ input, ask }) {
    return { status, body: await ask(call, input) }
  }
}
