import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { migrate } from '../../../database/migrate.ts'
import { mintKey } from '../../../functions/http/api-key.ts'
import { importHmacKey } from '../../../functions/http/encoding.ts'
import { startPostgres } from '../../../local/postgres/cluster.ts'
import { bundle } from './bundle.ts'
import { type Neon, startNeon } from './neon.ts'
import { startWorkerd, type Workerd } from './workerd.ts'

const WORKER_PASSWORD = 'worker'

/** What the rows stand on: one Postgres, one proxy, and workerds on demand. Everything it starts, it stops. */
export type Cloud = {
  /** The database `mec` as its owner; another database of the same cluster by its name. */
  ownerUrl(database?: string): string
  /** The same as the Worker's role. */
  workerUrl(database?: string): string
  neon: Neon
  postgresVersion: string
  /** The real Worker, and the headers by which it knows a caller with every scope. Started at its first use. */
  mec(): Promise<{ url: string; headers: Record<string, string> }>
  /** A baseline of test/bench/baseline, by its name. */
  baseline(name: string): Promise<string>
  /** Statements without parameters, one after the other, as the owner. */
  sql(text: string, database?: string): Promise<pg.QueryResult>
  stop(): Promise<void>
}

/** @param folder for all files: the caller's to make, readable by all, and to remove. */
export async function startCloud(folder: string): Promise<Cloud> {
  // Durable, as in `npm run dev`: a commit that is not on the disk is no peer.
  const postgres = await startPostgres({ dataDir: `${folder}/postgres` })
  let neon: Neon | undefined
  const workerds: Workerd[] = []

  async function stop(): Promise<void> {
    await Promise.allSettled(workerds.map((workerd) => workerd.stop()))
    await neon?.stop()
    await postgres.stop()
  }

  async function start(script: string, bindings: Record<string, string>): Promise<string> {
    const workerd = await startWorkerd(await bundle(script, folder), bindings)
    workerds.push(workerd)
    return workerd.url
  }

  const ownerUrl = (database = 'mec') => withPath(postgres.url, database)
  const workerUrl = (database = 'mec') => {
    const url = new URL(ownerUrl(database))
    url.username = 'mec_worker'
    url.password = WORKER_PASSWORD
    return url.href
  }

  async function sql(text: string, database?: string): Promise<pg.QueryResult> {
    const client = new pg.Client({ connectionString: ownerUrl(database) })
    await client.connect()
    try {
      return await client.query(text)
    } finally {
      await client.end()
    }
  }

  async function startMec(bindings: Record<string, string>) {
    const pepper = randomBytes(32).toString('hex')
    const key = await mintKey('default', await importHmacKey(pepper), randomBytes)
    await sql(`INSERT INTO api_keys (namespace_id, key_name, key_hash, key_prefix, scopes)
      VALUES ('default', 'bench', decode('${key.hash}', 'hex'), '${key.prefix}', '{admin}')`)
    const secrets = { JWT_SECRET: randomBytes(32).toString('hex'), KEY_PEPPER: pepper }
    const url = await start('functions/worker.ts', { ...bindings, ...secrets })
    return { url, headers: { authorization: `Bearer ${key.secret}` } }
  }

  try {
    await migrate({ connectionString: ownerUrl(), workerPassword: WORKER_PASSWORD })
    neon = await startNeon(postgres.port)
    const bindings = { DATABASE_URL: workerUrl(), NEON_FETCH_ENDPOINT: neon.url }
    const { rows } = await sql('SHOW server_version')
    let mec: ReturnType<typeof startMec> | undefined
    return {
      ownerUrl,
      workerUrl,
      neon,
      postgresVersion: String(rows[0]?.server_version),
      mec() {
        mec ??= startMec(bindings)
        return mec
      },
      baseline: (name) => start(`test/bench/baseline/${name}.ts`, bindings),
      sql,
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

function withPath(url: string, path: string): string {
  const changed = new URL(url)
  changed.pathname = path
  return changed.href
}
