import { z } from '@hono/zod-openapi'
import { JOBS } from '../core/vocabulary.ts'
import { type Api, forward } from '../http/api.ts'
import { contract } from '../http/contract.ts'
import type { Gateway } from '../store/gateway.ts'

const RunRequest = z.strictObject({ job: z.enum([...JOBS, 'all']) }).openapi('MaintenanceRequest')
const RunAnswer = z
  .object({
    results: z.array(
      z.looseObject({
        job: z.enum(JOBS),
        processed: z.int().min(0),
        more: z.boolean().openapi({ description: 'There is more to do: run it again.' }),
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
  description: 'Nothing depends on it: time takes effect by itself, and cron only records that it did.',
  scopes: ['admin'],
  input: RunRequest,
  statuses: { 200: 'What each job did.' },
  answer: RunAnswer,
  example: {
    request: { job: 'all' },
    answer: { results: [{ job: 'expire_leases', processed: 3, more: false }] },
  },
})

export function serveMaintenance(api: Api, gateway: Gateway): void {
  const run = gateway.bind<z.output<typeof RunRequest>, z.input<typeof RunAnswer>>('api_maintenance')
  api.serve(runMaintenance, forward(run))
}
