import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import pg from 'pg'

/** By this name the development key is known among the keys of the namespace. */
const KEY_NAME = 'MEC_DEV_KEY'

export const hashOf = (key: string): string => createHash('sha256').update(key).digest('hex')

/**
 * Puts in place what a developer expects to find: the development key, which may do everything in the namespace
 * `default`, and the demo account. An earlier development key stops working. May be called again.
 */
export async function ensureSampleData(databaseUrl: string, devKeyHash: string): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    await client.query('BEGIN')
    await client.query(
      `UPDATE api_keys SET revoked_at = clock_timestamp()
       WHERE namespace_id = 'default' AND key_name = $1 AND revoked_at IS NULL AND key_hash <> decode($2, 'hex')`,
      [KEY_NAME, devKeyHash],
    )
    await client.query(
      `INSERT INTO api_keys (namespace_id, key_name, key_hash, key_prefix, scopes)
       VALUES ('default', $1, decode($2, 'hex'), $1, '{admin}')
       ON CONFLICT (key_hash) DO UPDATE
         SET namespace_id = 'default', key_name = $1, scopes = '{admin}', expires_at = NULL, revoked_at = NULL`,
      [KEY_NAME, devKeyHash],
    )
    await client.query(await readFile(new URL('demo.sql', import.meta.url), 'utf8'))
    await client.query('COMMIT')
  } finally {
    await client.end()
  }
}
