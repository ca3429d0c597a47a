import { z } from '@hono/zod-openapi'
import { JOBS } from '../core/vocabulary.ts'
import { type Api, forward } from '../http/api.ts'
import { contract } from '../http/contract.ts'
import type { SqlFunction } from '../store/gateway.ts'
import { id, orNull } from './shapes.ts'

const FAULTS = ['changed', 'inserted', 'missing', 'details_changed', 'head_changed', 'rewritten'] as const

const RunRequest = z.strictObject({ job: z.enum([...JOBS, 'all']) }).openapi('MaintenanceRequest')
const Pair = z.object({
  account_uuid: id().openapi({ description: 'The id that the account has inside.' }),
  resource: z.string().openapi({ example: 'benchmark_runs' }),
})
const Difference = Pair.extend({
  law: z.string().openapi({ description: 'What does not hold.' }),
  subject: z.string().openapi({ description: 'Of what: an entry, a window of a bucket, a part of a day.' }),
}).openapi('Difference')
const Fault = z
  .object({
    chain: z.enum(['ledger', 'audit']).openapi({ description: 'That of an account and resource, or the audit trail.' }),
    account_uuid: orNull(id()).openapi({ description: 'The id that the account has inside; null of the audit trail.' }),
    resource: z.string().nullable().openapi({ example: 'benchmark_runs' }),
    fault: z.enum(FAULTS).openapi({
      description:
        'The first entry that is not as it was recorded: `changed` (itself, what it drew on, or its place), `inserted`, `missing`, `details_changed` (its personal strings are others), `head_changed` (the entries are fine, but the head is not theirs), `rewritten` (since a head was signed, with all hashes after it).',
    }),
    seq: z.int().nullable().openapi({ description: 'Its number in the chain, or the first that it can be.' }),
    through_seq: z.int().nullable().openapi({ description: 'The last that it can be, or the last of several.' }),
    entry_id: orNull(id()).openapi({ description: 'The entry, if there is one with that number.' }),
  })
  .openapi('ChainFault')
const RunAnswer = z
  .object({
    results: z.array(
      z.object({
        job: z.enum(JOBS),
        processed: z.int().min(0).openapi({
          description:
            'Leases or reservations whose end it recorded, windows it froze, account and resource pairs it compared, entries it verified, or heads it signed.',
        }),
        more: z.boolean().openapi({ description: 'There is more to do: run it again.' }),
        differences: z.array(Difference).optional().openapi({ description: 'Of `reconcile`: where counters differ.' }),
        too_large: z.array(Pair).optional().openapi({
          description: 'Of `reconcile`: with too many entries to be compared in one step, left out.',
        }),
        faults: z
          .array(Fault)
          .optional()
          .openapi({ description: 'Of `verify_chain`: the first of each broken chain.' }),
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
    'In your namespace, and only a part of it if there is much to do: `more` says so. `all` is every job but `sign_heads`, which has to be asked for by its name. Nothing depends on it: time takes effect by itself, and cron only records that it did.',
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
        { job: 'verify_chain', processed: 4711, more: false, faults: [] },
      ],
    },
  },
})

/** One step of a job: it asks the database more than once where the Worker has to do something in between. */
export type RunMaintenance = SqlFunction<z.output<typeof RunRequest>, z.input<typeof RunAnswer>>

export function serveMaintenance(api: Api, run: RunMaintenance): void {
  api.serve(runMaintenance, forward(run))
}
