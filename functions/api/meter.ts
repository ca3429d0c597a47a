import { z } from '@hono/zod-openapi'
import type { Failure } from '../core/failure.ts'
import type { Api, Exchange } from '../http/api.ts'
import { requireAccount } from '../http/auth.ts'
import { contract } from '../http/contract.ts'
import { describeFailure, ERROR_TYPES } from '../http/errors.ts'
import { accountId, code, idempotencyKey, metadata, quantity, resource, scope, time } from '../http/fields.ts'
import { check, failureOfIssues } from '../http/issues.ts'
import { changesInAnswer, type Gateway } from '../store/gateway.ts'
import { Duplicate, ENTRY_EXAMPLE, Entry, orNull, State } from './shapes.ts'

const MAX_ENTRIES = 1000

const MeterFields = z.strictObject({
  idempotency_key: idempotencyKey().optional(),
  account_id: accountId(),
  resource: resource(),
  scope: scope(),
  quantity: quantity().openapi({ description: 'Negative only for inventory: giving items back.', example: 1 }),
  unit: code().nullish().openapi({ description: "Of the same dimension as the resource's own, which is the default." }),
  occurred_at: time().nullish().openapi({ description: 'Now when left out. At most 5 minutes ahead.' }),
  metadata: metadata().optional(),
})
const MeterRequest = MeterFields.openapi('MeterRequest')
const MeterEntry = MeterFields.extend({ idempotency_key: idempotencyKey() }).openapi('MeterEntry')

const Metered = z
  .object({
    duplicate: Duplicate,
    over_limit: z.boolean(),
    entry: Entry,
    state: State,
  })
  .openapi('Metered')

const METER_EXAMPLE = {
  idempotency_key: 'run_12345',
  account_id: 'org_acme',
  resource: 'benchmark_runs',
  quantity: 1,
  unit: 'count',
  occurred_at: '2026-11-21T10:00:00Z',
}

const meter = contract({
  method: 'post',
  path: '/v1/meter',
  operationId: 'meter',
  tag: 'Metering',
  summary: 'Record what happened',
  description: 'Facts are never refused for a limit: what is over it is marked as overage or excess.',
  scopes: ['meter'],
  idempotency: 'required',
  input: MeterRequest,
  statuses: { 201: 'Recorded.', 200: 'A duplicate: the first result.' },
  answer: Metered,
  errors: {
    400: '`unknown_resource`, `unit_mismatch`.',
    409: '`idempotency_conflict`, `negative_balance`.',
  },
  example: {
    request: METER_EXAMPLE,
    answer: {
      duplicate: false,
      over_limit: false,
      entry: ENTRY_EXAMPLE,
      state: { limit: 500, used: 411, held: 0, remaining: 89 },
    },
  },
})

/** Each entry is checked alone, in the handler: a bad one must not fail the others. */
const BatchInput = z.strictObject({ entries: z.array(z.unknown()).min(1).max(MAX_ENTRIES) })
const BatchRequest = BatchInput.extend({ entries: z.array(MeterEntry).min(1).max(MAX_ENTRIES) }).openapi(
  'MeterBatchRequest',
)

const BatchResult = z
  .object({
    index: z.int().min(0),
    status: z.enum(['recorded', 'duplicate', 'conflict', 'invalid']),
    entry: orNull(Entry),
    error: z
      .object({
        type: z.enum(ERROR_TYPES),
        code: z.string(),
        message: z.string(),
        param: z.string().nullable(),
      })
      .nullable(),
  })
  .openapi('MeterBatchResult')
type BatchResult = z.input<typeof BatchResult>

const BatchAnswer = z.object({ results: z.array(BatchResult) }).openapi('MeterBatch')

const MISMATCH_EXAMPLE = {
  type: 'invalid_request',
  code: 'unit_mismatch',
  message: 'unit "hours" cannot be converted to count, the unit of the resource',
  param: 'entries.1.unit',
}

const meterBatch = contract({
  method: 'post',
  path: '/v1/meter/batch',
  operationId: 'meterBatch',
  tag: 'Metering',
  summary: 'Record up to 1000 things that happened',
  description:
    'Entries stand alone: a bad one is reported and does not fail the others. Duplicates inside one batch count once. Only a token that may not act on the account of some entry fails as a whole.',
  scopes: ['meter'],
  input: BatchInput,
  documentedInput: BatchRequest,
  statuses: { 200: 'One result for each entry, in order.' },
  answer: BatchAnswer,
  example: {
    request: { entries: [METER_EXAMPLE, { ...METER_EXAMPLE, idempotency_key: 'run_12346', unit: 'hours' }] },
    answer: {
      results: [
        { index: 0, status: 'recorded', entry: ENTRY_EXAMPLE, error: null },
        { index: 1, status: 'invalid', entry: null, error: MISMATCH_EXAMPLE },
      ],
    },
  },
})

type IndexedEntry = z.output<typeof MeterEntry> & { readonly index: number }

export function serveMeter(api: Api, gateway: Gateway): void {
  const meterInSql = gateway.bind<z.output<typeof MeterRequest>, z.input<typeof Metered>>('api_meter')
  const batchInSql = gateway.bind<{ entries: readonly IndexedEntry[] }, { results: readonly BatchResult[] }>(
    'api_meter_batch',
    changesInAnswer,
  )

  async function handleMeter({ input, ask }: Exchange<z.output<typeof MeterRequest>>) {
    const answer = await ask(meterInSql, input)
    return { status: answer.duplicate ? 200 : 201, body: answer } as const
  }

  /** SQL is asked even when no entry is well-formed: only it can tell whether the key is one of ours. */
  async function handleMeterBatch({ input, caller, ask }: Exchange<z.output<typeof BatchInput>>) {
    const entries: IndexedEntry[] = []
    const results: BatchResult[] = []
    for (const [index, candidate] of input.entries.entries()) {
      const parsed = check(MeterEntry, candidate)
      if (parsed.success) {
        requireAccount(caller.credential, parsed.data.account_id, `entries.${index}.account_id`)
        entries.push({ ...parsed.data, index })
      } else {
        results.push(invalid(index, failureOfIssues(parsed.error, ['entries', index])))
      }
    }
    const recorded = await ask(batchInSql, { entries })
    results.push(...recorded.results.map(withFullPath))
    results.sort((left, right) => left.index - right.index)
    return { status: 200, body: { results } } as const
  }

  api.serve(meter, handleMeter)
  api.serve(meterBatch, handleMeterBatch)
}

function invalid(index: number, failure: Failure): BatchResult {
  return { index, status: 'invalid', entry: null, error: describeFailure(failure) }
}

/** SQL sees entries one by one, and names a field without saying of which. */
function withFullPath(result: BatchResult): BatchResult {
  if (!result.error?.param) return result
  return { ...result, error: { ...result.error, param: `entries.${result.index}.${result.error.param}` } }
}
