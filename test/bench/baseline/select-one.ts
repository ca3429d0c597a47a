import { neon, neonConfig } from '@neondatabase/serverless'

interface Bindings {
  readonly DATABASE_URL: string
  readonly NEON_FETCH_ENDPOINT: string
}

/** The least that a Worker can do with Postgres when it is asked something: what a check is measured against. */
export default {
  async fetch(request: Request, { DATABASE_URL, NEON_FETCH_ENDPOINT }: Bindings) {
    neonConfig.fetchEndpoint = NEON_FETCH_ENDPOINT
    const sql = neon(DATABASE_URL, { arrayMode: true, disableWarningInBrowsers: true })
    // To be asked is to read the question: workerd gets a body after its head, in a turn of its own.
    await request.text()
    return Response.json(await sql.query('select 1'))
  },
}
