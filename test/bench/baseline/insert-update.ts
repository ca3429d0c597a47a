import { neon, neonConfig } from '@neondatabase/serverless'

interface Bindings {
  readonly DATABASE_URL: string
  readonly NEON_FETCH_ENDPOINT: string
}

interface Use {
  readonly entry_id: string
  readonly account_id: string
  readonly quantity: number
}

/** The same row as a consume leaves in its ledger, and one counter. */
const RECORD = `
WITH entry AS (
  INSERT INTO bench_ledger (entry_id, namespace_id, account_id, resource_type_code, entry_kind, limit_kind_code,
    idempotency_key, quantity, unit_code, original_quantity, original_unit_code, occurred_at, recorded_at, counted_at, is_late,
    included_quantity, overage_quantity, excess_quantity, chain_seq, chain_hash)
  VALUES ($1::uuid, 'default', $2::uuid, 'benchmark_runs', 'usage', 'cumulative',
    $1::text, $3::numeric, 'count', $3::numeric, 'count', now(), now(), now(), false, $3::numeric, 0, 0,
    extract(epoch FROM clock_timestamp()) * 1000000, decode(repeat('00', 32), 'hex'))
)
UPDATE bench_counter SET used = used + $3::numeric WHERE account_id = $2::uuid RETURNING used`

/** The least that records a use: no limit, no rule, no idempotency. What a consume is measured against. */
export default {
  async fetch(request: Request, { DATABASE_URL, NEON_FETCH_ENDPOINT }: Bindings) {
    neonConfig.fetchEndpoint = NEON_FETCH_ENDPOINT
    const sql = neon(DATABASE_URL, { arrayMode: true, disableWarningInBrowsers: true })
    const { entry_id, account_id, quantity }: Use = JSON.parse(await request.text())
    return Response.json(await sql.query(RECORD, [entry_id, account_id, quantity]), { status: 201 })
  },
}
