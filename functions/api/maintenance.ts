import { z } from '@hono/zod-openapi'
import { JOBS } from '../core/vocabulary.ts'
import { type Api, forward } from '../http/api.ts'
import { contract } from '../http/contract.ts'
import type { Gateway } from '../store/gateway.ts'
import { id } from './shapes.ts'

const RunRequest = z.strictObject({ job: z.enum([...JOBS, 'all']) }).openapi('MaintenanceRequest')
const Pair = z.object({
  account_uuid: id().openapi({ description: 'The id that the account has inside.' }),
  resource: z.string(),
})
const Difference = Pair.extend({
  law: z.string().openapi({ description: 'What does not hold.' }),
  subject: z.string().openapi({ description: 'Of what: an entry, a window of a bucket, a part of a day.' }),
}).openapi('Difference')
const RunAnswer = z
  .object({
    results: z.array(
      z.object({
        job: z.enum(JOBS),
        processed: z.int().min(0).openapi({
          description:
            'Leases or reservations whose end it recorded, windows it froze, or account and resource pairs it compared.',
        }),
        more: z.boolean().openapi({ description: 'There is more to do: run it again.' }),
        differences: z.array(Difference).optional().openapi({ description: 'Of `reconcile`: where counters differ.' }),
        too_large: z.array(Pair).optional().openapi({
          description: 'Of `reconcile`: with too many entries to be compared in one step, left out.',
        }),
      }),
    ),
  })
  .openapi('MaintenanceReport')

const runMaintenance = contract({
  method: 'post',
  path: '/v1/maintenance/run',
  operationId: 'runMaintenance',
  tag: 'Operations',
  summary: 'Do now what cron does',
  description:
    'In your namespace, and only a part of it if there is much to do: `more` says so. Nothing depends on it: time takes effect by itself, and cron only records that it did.',
  scopes: ['admin'],
  input: RunRequest,
  statuses: { 200: 'What each job did.' },
  answer: RunAnswer,
  example: {
    request: { job: 'all' },
    answer: {
      results: [
        { job: 'expire_leases', processed: 3, more: false },
        { job: 'expire_reservations', processed: 0, more: false },
        { job: 'close_windows', processed: 2, more: false },
        { job: 'reconcile', processed: 17, more: false, differences: [], too_large: [] },
      ],
    },
  },
})

export function serveMaintenance(api: Api, gateway: Gateway): void {
  const run = gateway.bind<z.output<typeof RunRequest>, z.input<typeof RunAnswer>>('api_maintenance')
  api.serve(runMaintenance, forward(run))
}
