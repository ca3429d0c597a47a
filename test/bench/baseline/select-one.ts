import { neon, neonConfig } from '@neondatabase/serverless'

interface Bindings {
  readonly DATABASE_URL: string
  readonly NEON_FETCH_ENDPOINT: string
}

/** The least that a Worker can do with Postgres: what a check is measured against. */
export default {
  async fetch(_request: Request, { DATABASE_URL, NEON_FETCH_ENDPOINT }: Bindings) {
    neonConfig.fetchEndpoint = NEON_FETCH_ENDPOINT
    const sql = neon(DATABASE_URL, { arrayMode: true, disableWarningInBrowsers: true })
    return Response.json(await sql.query('select 1'))
  },
}
