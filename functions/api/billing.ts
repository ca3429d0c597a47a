import { z } from '@hono/zod-openapi'
import { preferredType } from '../http/accept.ts'
import { type Api, type Exchange, forward, type Stream } from '../http/api.ts'
import { contract, pageOf } from '../http/contract.ts'
import { csvRecord } from '../http/csv.ts'
import { accountId, page, resource, time } from '../http/fields.ts'
import type { Gateway } from '../store/gateway.ts'
import { amount, id, instant, Window } from './shapes.ts'

const CSV = 'text/csv'
const JSON_LINES = 'application/x-ndjson'
const FORMATS = {
  csv: { type: `${CSV}; charset=utf-8; header=present`, file: 'billing.csv', line: csvRecord },
  jsonl: { type: JSON_LINES, file: 'billing.jsonl', line: ([item]: readonly (string | null)[]) => `${item}\n` },
} as const
/** As `api_billing_export` orders them. */
const COLUMNS = [
  'entitlement_id',
  'account_id',
  'resource',
  'scope',
  'window_type',
  'window_start',
  'window_end',
  'status',
  'included_quantity',
  'overage_quantity',
  'excess_quantity',
  'overage_multiplier',
  'billable_quantity',
  'billable_amount',
  'closed_at',
] as const

const Status = z.enum(['open', 'closed']).openapi('BillingStatus')
const filters = {
  account_id: accountId().optional(),
  resource: resource().optional(),
  status: Status.optional().openapi({ description: 'Both when left out.' }),
  from: time()
    .optional()
    .openapi({ description: "Inclusive, on the window's end. One without an end is after all times." }),
  to: time().optional().openapi({ description: "Exclusive, on the window's end." }),
}

const Item = z
  .object({
    entitlement_id: id().nullable().openapi({
      description: 'Null for what drew on no cumulative entitlement: items, time access, excess of nothing entitled.',
    }),
    account_id: z.string(),
    resource: z.string(),
    scope: z.string().nullable(),
    window: Window.openapi({
      description:
        'A rolling window is billed by the calendar month; `none` ends with its entitlement; without an entitlement it is the UTC month in which the use was recorded.',
    }),
    status: Status.openapi({ description: 'Closed windows never change: what comes later counts in a later one.' }),
    included_quantity: amount(),
    overage_quantity: amount(),
    excess_quantity: amount(),
    overage_multiplier: amount().openapi({
      description:
        'As it was when the use was recorded. Of parts recorded with several, their average, rounded to 6 decimals: the amount is the exact sum of the parts.',
    }),
    billable_quantity: amount().openapi({
      description:
        'The overage under the action `overage`; of an unlimited entitlement under that action, all that was used. Negative: a credit for a window that was closed. Where `entitlement_id` is null, 0: items over their limit are counted, in `overage_quantity`, but not billed here; the ledger has each of them.',
    }),
    billable_amount: amount().openapi({
      description: 'Billable quantity × multiplier, in your price units: MEC knows no currency.',
    }),
    closed_at: instant().nullable().openapi({
      description:
        "The window's end + the namespace's late-arrival grace, or the end of the last hold on it, if that was later. Whether a job has run plays no part.",
    }),
  })
  .openapi('BillingWindow')

const ITEM = {
  entitlement_id: '019a9f3e-5d2c-7c11-9f5e-3b1f6f0f2a12',
  account_id: 'org_acme',
  resource: 'benchmark_runs',
  scope: null,
  window: { type: 'calendar_month', start: '2026-11-01T00:00:00Z', end: '2026-12-01T00:00:00Z' },
  status: 'closed',
  included_quantity: 50,
  overage_quantity: 7,
  excess_quantity: 0,
  overage_multiplier: 10,
  billable_quantity: 7,
  billable_amount: 70,
  closed_at: '2026-12-01T01:00:00Z',
}
const { window, ...FLAT } = ITEM
const CELLS: Readonly<Record<string, string | number | null>> = {
  ...FLAT,
  window_type: window.type,
  window_start: window.start,
  window_end: window.end,
}
const CSV_EXAMPLE =
  csvRecord(COLUMNS) + csvRecord(COLUMNS.map((name) => (CELLS[name] == null ? null : String(CELLS[name]))))

const WindowsInput = z.strictObject({ ...filters, ...page() })
const Windows = pageOf(Item).openapi('BillingWindowList')

const listWindows = contract({
  method: 'get',
  path: '/v1/billing/windows',
  operationId: 'listBillingWindows',
  tag: 'Billing',
  summary: 'What was used and what is billed, by entitlement and window',
  description:
    'By account and resource, newest windows first. Open and closed windows together are the ledger: per account and resource their included, overage and excess quantities add up to those of all entries. Only use of cumulative entitlements is billed; items (seats) over a limit are counted, leases are not in it. When a plan change hands a running window on, each entitlement has its own part of it. All pages are as of the moment of the first. A page may hold fewer than `limit` with `has_more`: go on with its cursor.',
  scopes: ['read'],
  input: WindowsInput,
  statuses: { 200: 'A page of windows.' },
  answer: Windows,
  errors: { 400: '`unknown_resource`.' },
  example: { answer: { data: [ITEM], has_more: false, next_cursor: null } },
})

const ExportInput = z.strictObject({
  format: z.enum(['csv', 'jsonl']).optional().openapi({
    description: 'When left out, what `Accept` prefers of the two content types, else CSV.',
    example: 'csv',
  }),
  ...filters,
  status: Status.optional().openapi({ default: 'closed', description: 'Closed windows when left out.' }),
})
type ExportRequest = z.output<typeof ExportInput> & { readonly cursor?: string }
type ExportPage = { readonly rows: readonly (readonly (string | null)[])[]; readonly next_cursor: string | null }

const exportWindows = contract({
  method: 'get',
  path: '/v1/billing/export',
  operationId: 'exportBilling',
  tag: 'Billing',
  summary: 'The same as a file, all of it',
  description:
    'Closed windows unless `status` says otherwise, in the order of the list, as of the moment of the request, streamed; quantities with all their digits. JSON lines are the items of the list. CSV is that of RFC 4180, with a header; text that a spreadsheet would run as a formula begins with an apostrophe. If something goes wrong on the way the transfer is broken off: a file that arrived whole is complete.',
  scopes: ['read'],
  input: ExportInput,
  statuses: { 200: 'All windows.' },
  answer: z.string(),
  streams: { [CSV]: { example: CSV_EXAMPLE }, [JSON_LINES]: { example: `${JSON.stringify(ITEM)}\n` } },
  errors: { 400: '`unknown_resource`.' },
})

export function serveBilling(api: Api, gateway: Gateway): void {
  const readPage = gateway.bind<ExportRequest, ExportPage>('api_billing_export')

  async function handleExport({ input, accept, ask }: Exchange<z.output<typeof ExportInput>>): Promise<Stream> {
    const preferred = preferredType(accept(), [CSV, JSON_LINES]) === JSON_LINES ? 'jsonl' : 'csv'
    const { format = preferred } = input
    const { type, file, line } = FORMATS[format]
    const request = { ...input, format }
    // Before the answer begins: what is wrong with the request is an error, not a broken file.
    const first = await ask(readPage, request)
    const textOf = ({ rows }: ExportPage) => rows.map(line).join('')
    const header = format === 'csv' ? csvRecord(COLUMNS) : ''
    const body = streamPages(header + textOf(first), first.next_cursor, async (cursor) => {
      const next = await ask(readPage, { ...request, cursor })
      return { text: textOf(next), cursor: next.next_cursor }
    })
    return {
      body,
      headers: { 'Content-Type': type, 'Content-Disposition': `attachment; filename="${file}"`, Vary: 'Accept' },
    }
  }

  api.serve(
    listWindows,
    forward(gateway.bind<z.output<typeof WindowsInput>, z.input<typeof Windows>>('api_billing_windows')),
  )
  api.stream(exportWindows, handleExport)
}

/** One page at a time, and no page before the last one was taken. */
function streamPages(
  text: string,
  cursor: string | null,
  read: (cursor: string) => Promise<{ readonly text: string; readonly cursor: string | null }>,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  let next = { text, cursor }
  async function pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    // A page may be empty, a chunk may not.
    while (next.text === '' && next.cursor !== null) next = await read(next.cursor)
    if (next.text !== '') controller.enqueue(encoder.encode(next.text))
    if (next.cursor === null) controller.close()
    else next = { text: '', cursor: next.cursor }
  }
  return new ReadableStream({ pull }, { highWaterMark: 0 })
}
