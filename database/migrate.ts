import { readdir, readFile } from 'node:fs/promises'
import { drizzle } from 'drizzle-orm/node-postgres'
import { migrate as applyMigrations } from 'drizzle-orm/node-postgres/migrator'
import pg from 'pg'

const here = new URL('.', import.meta.url)
const migrationsFolder = new URL('../drizzle/migrations', here).pathname

/** The SQL files in the order in which a database takes them, the generated migrations left out. */
export async function repeatableFiles(): Promise<string[]> {
  const folder = async (name: string) => (await readdir(new URL(name, here))).sort().map((file) => `${name}/${file}`)
  return [
    'storage.sql',
    'drop-functions.sql',
    ...(await folder('functions')),
    ...(await folder('triggers')),
    'roles.sql',
    'seed.sql',
  ]
}

const read = (file: string) => readFile(new URL(file, here), 'utf8')

export type MigrateOptions = {
  /** Owner's connection: migrations need a direct one, not a pooled one. */
  connectionString: string
  /** Password of the Worker's role `mec_worker`; left as it is when absent. */
  workerPassword?: string
}

/**
 * Brings a database to the current schema: extensions, generated migrations, then functions, triggers, the Worker's
 * role and the look-up data, all of which may be applied again. Two runs at once take turns.
 * Throws the database's error, with the file that caused it in the message.
 */
export async function migrate({ connectionString, workerPassword }: MigrateOptions): Promise<void> {
  const client = new pg.Client({ connectionString })
  await client.connect()
  try {
    await client.query("SET client_min_messages = warning; SELECT pg_advisory_lock(hashtext('mec migrate'))")
    await client.query(await read('extensions.sql'))
    await applyMigrations(drizzle(client), { migrationsFolder })
    // Functions name one another: bodies are checked when they run, and by the tests.
    await client.query('BEGIN; SET LOCAL check_function_bodies = off')
    // As commands lock them: those under way end, later ones wait at their first step, and none waits for us with
    // something that we need.
    await client.query('LOCK TABLE api_keys, accounts, resource_state IN EXCLUSIVE MODE')
    for (const file of await repeatableFiles()) {
      const sql = await read(file)
      await client.query(sql).catch((error: unknown) => {
        throw new Error(`database/${file}: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
      })
    }
    if (workerPassword !== undefined) {
      await client.query(`ALTER ROLE mec_worker LOGIN PASSWORD ${client.escapeLiteral(workerPassword)}`)
    }
    await client.query('COMMIT')
  } finally {
    await client.end()
  }
}

if (import.meta.main) {
  const connectionString = process.env['DATABASE_URL']
  if (connectionString === undefined) throw new Error('DATABASE_URL: the connection string of the database to migrate')
  const workerPassword = process.env['MEC_WORKER_PASSWORD']
  await migrate({ connectionString, ...(workerPassword === undefined ? {} : { workerPassword }) })
}
