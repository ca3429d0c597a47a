import pg from 'pg'
import { mintKey, NAMESPACE, type RandomBytes } from '../functions/http/api-key.ts'
import { importHmacKey } from '../functions/http/encoding.ts'
import { connected } from './connected.ts'
import { Refusal } from './refusal.ts'

export type FirstKeyOptions = {
  /** The owner's: only the owner makes namespaces without a key to do it with. */
  connectionString: string
  /** The Worker's KEY_PEPPER: with another one it would not know the key. */
  keyPepper: string
  namespace: string
  /** What the namespace has to be; it becomes so when it is made, and is never changed. */
  isSandbox: boolean | undefined
  rawUuids: boolean | undefined
  /** Also where there is an admin key already. */
  force: boolean
  randomBytes: RandomBytes
}

export type FirstKey = {
  /** Shown once and stored nowhere. */
  secret: string
  prefix: string
  /** Whether the namespace was made, too. */
  isNew: boolean
  isSandbox: boolean
  rawUuids: boolean
}

type Namespace = { isSandbox: boolean; rawUuids: boolean }

/** undefined_table, undefined_function, undefined_column, invalid_schema_name. */
const NO_SCHEMA = new Set(['42P01', '42883', '42703', '3F000'])
const INSUFFICIENT_PRIVILEGE = '42501'

/** Makes an admin key, and its namespace if there is none. All or nothing; of several at once one is first. @throws Refusal */
export async function makeFirstKey(options: FirstKeyOptions): Promise<FirstKey> {
  const { connectionString, keyPepper, namespace, randomBytes } = options
  if (!NAMESPACE.test(namespace)) {
    throw new Refusal(`--namespace ${namespace}: must be 1 to 63 of a-z, 0-9 and "-", and not begin with "-"`)
  }
  const key = await mintKey(namespace, await importHmacKey(keyPepper), randomBytes)
  return inTransaction(connectionString, async (client) => {
    await client.query("SELECT pg_advisory_xact_lock(hashtext('mec bootstrap'))")
    const made = await makeNamespace(client, options)
    const found = made ?? (await existingNamespace(client, options))
    await client.query("SELECT fn_key_create($1, 'admin', '{admin}', $2, $3)", [namespace, key.hash, key.prefix])
    return { secret: key.secret, prefix: key.prefix, isNew: made !== undefined, ...found }
  })
}

async function makeNamespace(client: pg.Client, { namespace, isSandbox, rawUuids }: FirstKeyOptions) {
  const { rows } = await client.query<Namespace>(
    `INSERT INTO namespaces (namespace_id, is_sandbox, raw_uuids) VALUES ($1, $2, $3)
     ON CONFLICT DO NOTHING RETURNING is_sandbox AS "isSandbox", raw_uuids AS "rawUuids"`,
    [namespace, isSandbox ?? false, rawUuids ?? false],
  )
  return rows[0]
}

async function existingNamespace(client: pg.Client, { namespace, isSandbox, rawUuids, force }: FirstKeyOptions) {
  const { rows } = await client.query<Namespace & { admins: string[] }>(
    `SELECT is_sandbox AS "isSandbox", raw_uuids AS "rawUuids", ARRAY(
       SELECT k.key_prefix FROM api_keys k
       WHERE k.namespace_id = n.namespace_id AND 'admin' = ANY (k.scopes) AND k.revoked_at IS NULL
         AND (k.expires_at IS NULL OR k.expires_at > clock_timestamp())
       ORDER BY k.created_at) AS admins
     FROM namespaces n WHERE n.namespace_id = $1`,
    [namespace],
  )
  const [{ admins, ...found } = { isSandbox: false, rawUuids: false, admins: [] }] = rows
  const refuse = (why: string) => {
    throw new Refusal(`The namespace ${namespace} exists ${why}`)
  }
  if (isSandbox !== undefined && isSandbox !== found.isSandbox) refuse('and is no sandbox, which it cannot become.')
  if (rawUuids !== undefined && rawUuids !== found.rawUuids) refuse('without raw UUIDs, which it cannot get.')
  if (admins.length > 0 && !force) {
    refuse(`and has admin keys (${admins.join('…, ')}…). With --force it gets one more; theirs go on working.`)
  }
  return found
}

async function inTransaction<Result>(
  connectionString: string,
  work: (client: pg.Client) => Promise<Result>,
): Promise<Result> {
  const client = await connected(connectionString)
  try {
    await client.query('BEGIN')
    const result = await work(client)
    await client.query('COMMIT')
    return result
  } catch (error) {
    throw understood(error)
  } finally {
    await client.end()
  }
}

function understood(error: unknown): unknown {
  if (!(error instanceof pg.DatabaseError)) return error
  if (NO_SCHEMA.has(error.code ?? '')) {
    return new Refusal('There is no schema of MEC in this database, or an old one: npm run db:migrate brings it up.')
  }
  if (error.code === INSUFFICIENT_PRIVILEGE) {
    return new Refusal(`DATABASE_URL: must be the owner's, with whom migrations run (${error.message}).`)
  }
  return error
}
