import { setClock } from '../../support/commands.ts'
import { type Answer, api, mintAccount, mintNamespace, sqlValue, token } from '../../support/sql.ts'

/** An account in a namespace whose clock is its own. */
export type Place = { readonly account: string; readonly namespace: string }

export async function placeAt(now: string): Promise<Place> {
  const namespace = await mintNamespace()
  await setClock(namespace, now)
  return { namespace, account: mintAccount() }
}

/** What GET /v1/billing/windows lists of the account. */
export async function items({ account, namespace }: Place, request: Answer = {}): Promise<Answer[]> {
  const page = await api('api_billing_windows', { account_id: account, limit: 100, ...request }, token(namespace))
  return page['data'] as Answer[]
}

/** The rows of the export, of all its pages. */
export async function exported({ account, namespace }: Place, request: Answer = {}): Promise<(string | null)[][]> {
  const rows: (string | null)[][] = []
  for (let cursor: string | null = null; ; ) {
    const page: Answer = await api('api_billing_export', { account_id: account, ...request, cursor }, token(namespace))
    rows.push(...(page['rows'] as (string | null)[][]))
    cursor = page['next_cursor'] as string | null
    if (cursor === null) return rows
  }
}

const FIGURES = ['included_quantity', 'overage_quantity', 'excess_quantity', 'billable_quantity', 'billable_amount']

export async function sums(place: Place, request: Answer = {}): Promise<Record<string, number>> {
  const listed = await items(place, request)
  return Object.fromEntries(FIGURES.map((name) => [name, listed.reduce((sum, item) => sum + Number(item[name]), 0)]))
}

/** How many windows the job froze. */
export async function closeWindows({ namespace }: Place): Promise<number> {
  return Number((await sqlValue<Answer>('select fn_close_windows($1)', [namespace]))['processed'])
}
