import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import pg from 'pg'
import { migrate } from '../../../database/migrate.ts'
import { mintKey } from '../../../functions/http/api-key.ts'
import { importHmacKey } from '../../../functions/http/encoding.ts'
import { startPostgres } from '../../../local/postgres/cluster.ts'
import { startRedis } from '../../../local/redis/engine.ts'
import { buildIsolate, type Isolate } from '../../support/isolate.ts'
import { bundle } from './bundle.ts'
import { type StoreProxy, startProxy } from './proxy.ts'
import { startWorkerd, type Workerd } from './workerd.ts'

const WORKER_PASSWORD = 'worker'

/** An isolate with the real Worker, in workerd, and the baseline that shares its workerd. */
export type Mec = {
  url: string
  /** A bare route in Hono, in the same workerd. */
  honoUrl: string
  workerd: Workerd
}

/** What the rows stand on: Postgres, Redis, a proxy for each, and workerds on demand. Everything it starts, it stops. */
export type Cloud = {
  /** The database `mec` as its owner; another database of the same cluster by its name. */
  ownerUrl(database?: string): string
  /** The same as the Worker's role. */
  workerUrl(database?: string): string
  neon: StoreProxy
  upstash: StoreProxy
  /** What stands behind the proxies, with versions. */
  engines: string
  /** By which the Worker knows a caller with every scope. */
  headers: Record<string, string>
  /** The real Worker. Started at its first use. */
  mec(): Promise<Mec>
  /** The same, set up to have no Redis. */
  mecWithoutRedis(): Promise<Mec>
  /** The same again, on another database of the cluster, that knows the same key. */
  mecOn(database: string): Promise<Mec>
  /** Another one, to look into. */
  inspectedMec(): Promise<Mec>
  /** The real Worker's bundle. */
  bundle(): Promise<string>
  /** A baseline of test/bench/baseline, by its name. */
  baseline(name: string): Promise<string>
  /** The same service with a memory of its own, in this process. */
  isolate(): Isolate
  /** Commands to Redis; its own door, neither counted nor delayed, is not needed: reset the counters after it. */
  redis(...command: string[]): Promise<void>
  /** Statements without parameters, one after the other, as the owner. */
  sql(text: string, database?: string): Promise<pg.QueryResult>
  stop(): Promise<void>
}

/** @param folder for all files: the caller's to make, readable by all, and to remove. */
export async function startCloud(folder: string): Promise<Cloud> {
  const started: { stop(): Promise<void> }[] = []

  async function stop(): Promise<void> {
    // Last in, first out: nothing is stopped under what stands on it.
    for (const each of started.splice(0).reverse()) await each.stop()
  }

  function keep<Started extends { stop(): Promise<void> }>(each: Started): Started {
    started.push(each)
    return each
  }

  try {
    // Durable, as in `npm run dev`: a commit that is not on the disk is no peer.
    const postgres = keep(await startPostgres({ dataDir: join(folder, 'postgres') }))
    const redis = keep(await startRedis({ dataDir: join(folder, 'redis') }))
    const token = randomBytes(32).toString('hex')
    const neon = keep(await startProxy({ protocol: 'neon', port: postgres.port }))
    const upstash = keep(await startProxy({ protocol: 'upstash', port: redis.port, token }))

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

    await migrate({ connectionString: ownerUrl(), workerPassword: WORKER_PASSWORD })
    const secrets = { JWT_SECRET: randomBytes(32).toString('hex'), KEY_PEPPER: randomBytes(32).toString('hex') }
    const key = await mintKey('default', await importHmacKey(secrets.KEY_PEPPER), randomBytes)
    const knowKey = (database?: string) =>
      sql(
        `INSERT INTO api_keys (namespace_id, key_name, key_hash, key_prefix, scopes)
         VALUES ('default', 'bench', decode('${key.hash}', 'hex'), '${key.prefix}', '{admin}')`,
        database,
      )
    await knowKey()
    const inPostgres = { DATABASE_URL: workerUrl(), NEON_FETCH_ENDPOINT: neon.url }
    // A machine that is busy for a moment is no Redis that is down.
    const inRedis = {
      UPSTASH_REDIS_REST_URL: upstash.url,
      UPSTASH_REDIS_REST_TOKEN: token,
      REDIS_BUDGET_MS: '5000',
    }

    const bundles = new Map<string, Promise<string>>()
    function bundled(script: string): Promise<string> {
      const text = bundles.get(script) ?? bundle(script, folder)
      bundles.set(script, text)
      return text
    }

    async function startMec(bindings: Record<string, string>, inspected = false): Promise<Mec> {
      const scripts = [
        { name: 'mec', text: await bundled('functions/worker.ts'), bindings: { ...secrets, ...bindings } },
        { name: 'hono', text: await bundled('test/bench/baseline/hono-route.ts'), bindings: {} },
      ]
      const workerd = keep(await startWorkerd(scripts, { inspected }))
      return { url: await workerd.url('mec'), honoUrl: await workerd.url('hono'), workerd }
    }

    async function startBaseline(name: string): Promise<string> {
      const text = await bundled(`test/bench/baseline/${name}.ts`)
      return await keep(await startWorkerd([{ name, text, bindings: { ...inPostgres, ...inRedis } }])).url(name)
    }

    const { rows } = await sql('SHOW server_version')
    let mec: Promise<Mec> | undefined
    let withoutRedis: Promise<Mec> | undefined
    const baselines = new Map<string, Promise<string>>()
    return {
      ownerUrl,
      workerUrl,
      neon,
      upstash,
      engines: `Postgres ${rows[0]?.server_version}, ${redis.engineName}`,
      headers: { authorization: `Bearer ${key.secret}` },
      mec() {
        mec ??= startMec({ ...inPostgres, ...inRedis })
        return mec
      },
      mecWithoutRedis() {
        withoutRedis ??= startMec(inPostgres)
        return withoutRedis
      },
      async mecOn(database) {
        await knowKey(database)
        return startMec({ ...inPostgres, DATABASE_URL: workerUrl(database) })
      },
      inspectedMec: () => startMec({ ...inPostgres, ...inRedis }, true),
      bundle: () => bundled('functions/worker.ts'),
      baseline(name) {
        const url = baselines.get(name) ?? startBaseline(name)
        baselines.set(name, url)
        return url
      },
      isolate: () =>
        buildIsolate({
          workerUrl: workerUrl(),
          neonEndpoint: neon.url,
          upstashUrl: upstash.url,
          upstashToken: token,
          jwtSecret: secrets.JWT_SECRET,
          keyPepper: secrets.KEY_PEPPER,
          devKey: key.secret,
        }),
      async redis(...command) {
        const headers = { authorization: `Bearer ${token}` }
        const response = await fetch(upstash.url, { method: 'POST', headers, body: JSON.stringify(command) })
        if (!response.ok) throw new Error(`${command[0]} answered ${response.status}: ${await response.text()}`)
      },
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
