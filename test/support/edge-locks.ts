import { expect, inject } from 'vitest'
import { sql } from './edge.ts'
import type { EdgeStores } from './edge-stores.ts'
import type { Json } from './json-path.ts'

const HELD_SECONDS = 20

/**
 * Runs a statement that locks rows in a transaction of its own, which stays open until the function that this gives is
 * called.
 */
export async function holdLocks(query: string, params: Json[]): Promise<() => Promise<void>> {
  const { ownerEndpoint, ownerUrl } = inject<EdgeStores>('edge')
  const mark = `held ${crypto.randomUUID()}`
  const transaction = fetch(ownerEndpoint, {
    method: 'POST',
    headers: { 'Neon-Connection-String': ownerUrl },
    body: JSON.stringify({
      queries: [
        { query, params },
        { query: `select pg_sleep(${HELD_SECONDS}) /* ${mark} */`, params: [] },
      ],
    }),
  })
  const sleeping = () =>
    sql<{ pid: number }>(
      `select pid from pg_stat_activity where query like $1 and query not like '%pg_stat_activity%' and state = 'active'`,
      [`%${mark}%`],
    )
  await expect.poll(async () => (await sleeping()).length, { timeout: 5000 }).toBe(1)
  return async function release() {
    await sql(`select pg_cancel_backend(pid) from pg_stat_activity where query like $1 and pid <> pg_backend_pid()`, [
      `%${mark}%`,
    ])
    await (await transaction).body?.cancel()
  }
}
