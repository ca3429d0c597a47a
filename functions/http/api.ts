import type { OpenAPIHono } from '@hono/zod-openapi'
import type { Context } from 'hono'
import type { z } from 'zod'
import type { Credential } from '../core/credential.ts'
import { type Authenticate, type Caller, requireAccount, requireScope } from './auth.ts'
import type { Contract } from './contract.ts'
import { documentOperation } from './document.ts'
import { createReadInput } from './input.ts'

/** What one request knows of itself. */
export interface RequestVariables {
  requestId: string
  /** Time spent in I/O so far, in milliseconds, by what it was spent on. */
  timings: Map<string, number>
}
export type ApiContext = Context<{ Variables: RequestVariables }>
export type App = OpenAPIHono<{ Variables: RequestVariables }>

/** Calls a SQL function as the caller and counts the time. */
export type Ask = <Request, Answer>(
  call: (credential: Credential, request: Request) => Promise<Answer>,
  request: Request,
) => Promise<Answer>

export interface Exchange<Input> {
  readonly input: Input
  readonly caller: Caller
  readonly ask: Ask
}

export interface Reply<Answer> {
  readonly status: 200 | 201
  readonly body: Answer
}

export type Handler<Input, Answer> = (exchange: Exchange<Input>) => Promise<Reply<Answer>>

export interface Api {
  /** Serves an operation and puts it into the OpenAPI document. */
  serve<Input extends z.ZodObject, Answer extends z.ZodType>(
    contract: Contract<Input, Answer>,
    handler: Handler<z.output<Input>, z.input<Answer>>,
  ): void
}

export function createApi(app: App, authenticate: Authenticate, nowMs: () => number): Api {
  function serve<Input extends z.ZodObject, Answer extends z.ZodType>(
    contract: Contract<Input, Answer>,
    handler: Handler<z.output<Input>, z.input<Answer>>,
  ): void {
    documentOperation(app.openAPIRegistry, contract)
    const readInput = createReadInput(contract)

    /** What can be refused without I/O comes first: who, whether at all, then what. */
    async function serveOperation(c: ApiContext): Promise<Response> {
      const caller = await authenticate(c.req.header('authorization'), c.get('requestId'))
      requireScope(caller.credential, contract.scopes)
      const input = await readInput(c.req.raw)
      requireAccount(caller.credential, Reflect.get(input, 'account_id'))
      const reply = await handler({ input, caller, ask: askAs(caller.credential, c, nowMs) })
      return c.json(reply.body, reply.status)
    }
    app.on(contract.method.toUpperCase(), contract.path.replaceAll(/\{(\w+)\}/g, ':$1'), serveOperation)
  }
  return { serve }
}

function askAs(credential: Credential, c: ApiContext, nowMs: () => number): Ask {
  return function ask(call, request) {
    return timePostgres(c, nowMs, () => call(credential, request))
  }
}

/** Does the work and puts its time into `Server-Timing`, whether or not it succeeds. */
export async function timePostgres<Result>(
  c: ApiContext,
  nowMs: () => number,
  work: () => Promise<Result>,
): Promise<Result> {
  const start = nowMs()
  try {
    return await work()
  } finally {
    const timings = c.get('timings')
    timings.set('postgres', (timings.get('postgres') ?? 0) + nowMs() - start)
  }
}

/** A handler that asks one SQL function and answers what it says. */
export function forward<Input, Answer>(
  call: (credential: Credential, request: Input) => Promise<Answer>,
  status: 200 | 201 = 200,
): Handler<Input, Answer> {
  return async function forwardToSql({ input, ask }) {
    return { status, body: await ask(call, input) }
  }
}
