import { z } from '@hono/zod-openapi'
import { type Api, forward } from '../http/api.ts'
import { contract } from '../http/contract.ts'
import { accountId, printable, resource, time } from '../http/fields.ts'
import type { Gateway } from '../store/gateway.ts'
import { amount, instant } from './shapes.ts'

const UsageInput = z.strictObject({
  account_id: accountId(),
  resource: resource(),
  granularity: z.enum(['hour', 'day', 'month']).openapi({ description: 'How long a period is.', example: 'day' }),
  from: time().openapi({ description: 'Inclusive, on `occurred_at`. The first period is cut off here.' }),
  to: time().openapi({
    description: 'Exclusive, on `occurred_at`. The last period is cut off here. At most 1000 periods after `from`.',
  }),
  timezone: printable(64).optional().openapi({
    description: "Whose hours, days and months: a name of the IANA time zone database. The account's when left out.",
    example: 'Europe/Berlin',
  }),
})

const Usage = z
  .object({
    data: z.array(
      z.object({
        start: instant(),
        end: instant().openapi({ description: 'Exclusive: the start of the next.' }),
        quantity: amount().openapi({ description: 'Net of reversals.' }),
        overage_quantity: amount(),
      }),
    ),
  })
  .openapi('Usage')

const getUsage = contract({
  method: 'get',
  path: '/v1/usage',
  operationId: 'getUsage',
  tag: 'Metering',
  summary: 'What was used, by hour, day or month',
  description:
    'By `occurred_at`, of all scopes together, oldest first, periods without use included. A day has the hours that its timezone gives it: 23 or 25 when the clock is changed.',
  scopes: ['read'],
  input: UsageInput,
  statuses: { 200: 'All periods from `from` to `to`.' },
  answer: Usage,
  errors: { 400: '`unknown_resource`.' },
  example: {
    answer: {
      data: [
        { start: '2026-11-01T00:00:00Z', end: '2026-11-02T00:00:00Z', quantity: 410, overage_quantity: 0 },
        { start: '2026-11-02T00:00:00Z', end: '2026-11-03T00:00:00Z', quantity: 0, overage_quantity: 0 },
      ],
    },
  },
})

export function serveUsage(api: Api, gateway: Gateway): void {
  api.serve(getUsage, forward(gateway.bind<z.output<typeof UsageInput>, z.input<typeof Usage>>('api_usage')))
}
