import { z } from '@hono/zod-openapi'
import { type Api, forward, type Handler } from '../http/api.ts'
import { contract } from '../http/contract.ts'
import { time } from '../http/fields.ts'
import type { Gateway } from '../store/gateway.ts'
import { instant } from './shapes.ts'

/** A hundred years. */
const MAX_ADVANCE_SECONDS = 3_155_760_000

const Clock = z.object({ now: instant(), frozen: z.boolean() }).openapi('TestClock')
const CLOCK_EXAMPLE = { now: '2027-01-31T00:00:00Z', frozen: false }
const errors = { 403: '`not_sandbox`.' } as const

const SetRequest = z
  .strictObject({
    now: time().optional().openapi({ description: 'At most 100 years ahead of real time, and never back.' }),
    advance_seconds: z
      .int()
      .min(0)
      .max(MAX_ADVANCE_SECONDS)
      .optional()
      .openapi({ description: 'By so much, instead of `now`.', example: 86_400 }),
  })
  .refine(
    ({ now, advance_seconds }) => (now === undefined) !== (advance_seconds === undefined),
    'Give either now or advance_seconds.',
  )
  .openapi('TestClockRequest', { minProperties: 1, maxProperties: 1 })
const setClock = contract({
  method: 'post',
  path: '/v1/test_clock',
  operationId: 'setTestClock',
  tag: 'Test clock',
  summary: "Move a sandbox namespace's time forward",
  description: 'Never back. It then runs on at normal speed, and everything in the namespace follows it.',
  scopes: ['admin'],
  input: SetRequest,
  statuses: { 200: 'The time it is now.' },
  answer: Clock,
  errors,
  example: { request: { now: '2027-01-31T00:00:00Z' }, answer: CLOCK_EXAMPLE },
})

const Nothing = z.strictObject({})
const clearClock = contract({
  method: 'delete',
  path: '/v1/test_clock',
  operationId: 'clearTestClock',
  tag: 'Test clock',
  summary: 'Return to real time',
  scopes: ['admin'],
  input: Nothing,
  statuses: { 200: 'The time it is now.' },
  answer: Clock,
  errors,
  example: { answer: CLOCK_EXAMPLE },
})

const getClock = contract({
  method: 'get',
  path: '/v1/test_clock',
  operationId: 'getTestClock',
  tag: 'Test clock',
  summary: 'The time of the namespace',
  scopes: ['admin'],
  input: Nothing,
  statuses: { 200: 'The time it is now.' },
  answer: Clock,
  errors,
  example: { answer: CLOCK_EXAMPLE },
})

type Answer = z.input<typeof Clock>
type None = z.output<typeof Nothing>

/** `wait`: resolves after so many milliseconds. `memoryMs`: how long after it was filled an isolate's memory answers. */
export function serveTestClock(
  api: Api,
  gateway: Gateway,
  wait: (ms: number) => Promise<void>,
  memoryMs: number,
): void {
  /** By the time it answers, the new time is in Redis, and no isolate answers from a memory that is older. */
  function onceNoMemoryIsOlder<Input>(move: Handler<Input, Answer>): Handler<Input, Answer> {
    return async function moveClock(exchange) {
      const reply = await move(exchange)
      await wait(memoryMs)
      return reply
    }
  }

  const set = gateway.bind<z.output<typeof SetRequest>, Answer>('api_test_clock_set')
  const clear = gateway.bind<None, Answer>('api_test_clock_clear')
  api.serve(setClock, onceNoMemoryIsOlder(forward(set)))
  api.serve(clearClock, onceNoMemoryIsOlder(forward(clear)))
  api.serve(getClock, forward(gateway.bind<None, Answer>('api_test_clock_get')))
}
