export type Greeting = { port: number; devKey: string; redis: string; logs: string; startedAt: Date }

/** What is printed once it can serve: three requests to paste, an allowed check, a recorded use, a denial. */
export function greeting({ port, devKey, redis, logs, startedAt }: Greeting): string {
  const url = `http://127.0.0.1:${port}`
  const post = (path: string, body: object) =>
    `curl -sS -w '\\n' ${url}${path} -H 'Authorization: Bearer ${devKey}' -H 'Content-Type: application/json' -d '${JSON.stringify(body)}'`
  const asked = { account_id: 'demo', resource: 'benchmark_runs' }
  // Another key at each start: pasted again after a restart it is another use.
  const idempotency_key = `demo-${startedAt.toISOString()}`
  return `MEC ready on ${url}

# May the account "demo" do a benchmark run?
${post('/v1/check', { ...asked, quantity: 1 })}
# It does one. Pasted again, it still counts once.
${post('/v1/consume', { ...asked, quantity: 1, idempotency_key })}
# And a million of them? Denied, with the reason.
${post('/v1/check', { ...asked, quantity: 1_000_000 })}

Reference: ${url}/docs   Postgres: npm run -s db:url   Redis: ${redis}   Logs: ${logs}   Stop: Ctrl-C`
}
