import { parseArgs } from 'node:util'
import type pg from 'pg'
import { createHeadSigner } from '../functions/http/head-signer.ts'
import { connected } from './connected.ts'
import { describeFault, type Fault } from './faults.ts'
import { readHeads } from './heads-file.ts'
import { end, Refusal } from './refusal.ts'
import { verifyChains } from './verify-chains.ts'
import { headsOf, verifyHeads } from './verify-heads.ts'

const HELP = `npm run ledger:verify [-- --namespace NAME] [--heads FILE ...]
Verifies the hash chains of the ledger and of the audit trails, names the first broken entry of each chain, and ends
with 1 if there is one. Reads only; may run on the live database. docs/LEDGER_CHAIN.md
  --namespace   this one only
  --heads       signed heads that were kept outside (of the bucket, or of GET /v1/ledger/heads): finds what was changed
                before they were signed, even if all hashes were made anew
DATABASE_URL: of the database's owner or of mec_worker. LEDGER_SIGNING_KEY: the Worker's, to verify signatures with;
LEDGER_SIGNING_KEY_PREVIOUS: the one before it.`
const TELL_EVERY_MS = 5000

async function run(): Promise<void> {
  const { namespace, heads = [], help } = optionsOf(process.argv.slice(2))
  if (help) return console.log(HELP)
  const connectionString = process.env['DATABASE_URL']
  if (!connectionString) throw new Refusal(`DATABASE_URL is missing.\n\n${HELP}`)
  const signers = await signersOf(process.env)
  if (heads.length > 0 && signers.length === 0) throw new Refusal('--heads needs LEDGER_SIGNING_KEY')
  const client = await connected(connectionString)
  try {
    if (namespace !== undefined) await assertNamespace(client, namespace)
    const broken = [
      ...(await verifyEntries(client, namespace ?? null)),
      ...(await verifySignatures(client, namespace ?? null, heads, signers)),
    ]
    for (const fault of broken) console.log(describeFault(fault))
    console.log(broken.length === 0 ? 'All chains are whole.' : `${broken.length} faults.`)
    if (broken.length > 0) process.exitCode = 1
  } finally {
    await client.end()
  }
}

/** Of a namespace that is none, nothing is broken: a misspelt name must not pass for a whole chain. @throws Refusal */
async function assertNamespace(client: pg.Client, namespace: string): Promise<void> {
  const { rowCount } = await client.query('SELECT FROM namespaces WHERE namespace_id = $1', [namespace])
  if (rowCount === 0) throw new Refusal(`--namespace ${namespace}: there is no such namespace`)
}

async function verifyEntries(client: pg.Client, namespace: string | null): Promise<Fault[]> {
  const broken: Fault[] = []
  const started = performance.now()
  let [entries, told] = [0, started]
  const rate = () => `${Math.round(entries / ((performance.now() - started) / 1000))} entries/s`
  for await (const progress of verifyChains(client, namespace)) {
    entries += progress.entries
    broken.push(...progress.faults)
    if (performance.now() - told < TELL_EVERY_MS) continue
    told = performance.now()
    console.error(`${entries} entries, ${rate()}`)
  }
  console.log(`Verified ${entries} entries in ${((performance.now() - started) / 1000).toFixed(1)} s: ${rate()}.`)
  return broken
}

async function verifySignatures(
  client: pg.Client,
  namespace: string | null,
  files: readonly string[],
  signers: Awaited<ReturnType<typeof signersOf>>,
): Promise<Fault[]> {
  if (signers.length === 0) {
    console.log('Signatures were not verified: LEDGER_SIGNING_KEY is not set.')
    return []
  }
  const kept = await verifyHeads(client, headsOf(client, namespace), signers, { fromFirst: true })
  console.log(`Verified ${kept.heads} signed heads in the database.`)
  const broken = kept.faults
  for (const file of files) {
    const exported = (await readHeads(file)).filter((head) => namespace === null || head.namespace === namespace)
    const outside = await verifyHeads(client, exported, signers, { fromFirst: false })
    console.log(`Verified ${outside.heads} signed heads of ${file}.`)
    broken.push(...outside.faults)
  }
  return broken
}

function signersOf(env: NodeJS.ProcessEnv) {
  const secrets = [env['LEDGER_SIGNING_KEY'], env['LEDGER_SIGNING_KEY_PREVIOUS']].filter((secret) => secret)
  return Promise.all(secrets.map((secret) => createHeadSigner(secret ?? '')))
}

function optionsOf(args: string[]) {
  try {
    const options = {
      namespace: { type: 'string' },
      heads: { type: 'string', multiple: true },
      help: { type: 'boolean' },
    } as const
    return parseArgs({ args, options }).values
  } catch (error) {
    throw new Refusal(`${error instanceof Error ? error.message : String(error)}\n\n${HELP}`)
  }
}

await run().catch(end)
