import { randomBytes } from 'node:crypto'
import { parseArgs } from 'node:util'
import { makeFirstKey } from './first-key.ts'
import { end, Refusal } from './refusal.ts'

const HELP = `npm run bootstrap -- --namespace NAME [--sandbox] [--raw-uuids] [--force]
Prints the first admin key of a namespace, once, and makes the namespace if there is none. Standard output is the key
and nothing else. The database must have been migrated (npm run db:migrate).
  --sandbox     its clock can be moved
  --raw-uuids   an account id that is a UUID is used as it is
  --force       one more key where there is an admin key already
DATABASE_URL: of the database's owner. KEY_PEPPER: the Worker's.`

async function bootstrap(): Promise<void> {
  const options = optionsOf(process.argv.slice(2))
  if (options.help) return console.log(HELP)
  if (options.namespace === undefined) throw new Refusal(`--namespace is missing.\n\n${HELP}`)
  const { secret, prefix, isNew, isSandbox, rawUuids } = await makeFirstKey({
    connectionString: required('DATABASE_URL'),
    keyPepper: required('KEY_PEPPER'),
    namespace: options.namespace,
    isSandbox: options.sandbox,
    rawUuids: options['raw-uuids'],
    force: options.force ?? false,
    randomBytes,
  })
  const kind = `${isSandbox ? 'a sandbox' : 'no sandbox'}, ${rawUuids ? 'with' : 'without'} raw UUIDs`
  console.error(`The namespace ${options.namespace} (${kind}) ${isNew ? 'was made' : 'was there'}.`)
  console.error(`Its new admin key, ${prefix}…, is shown this once:`)
  console.log(secret)
}

function optionsOf(args: string[]) {
  try {
    const flag = { type: 'boolean' } as const
    const options = {
      namespace: { type: 'string' },
      sandbox: flag,
      'raw-uuids': flag,
      force: flag,
      help: flag,
    } as const
    return parseArgs({ args, options }).values
  } catch (error) {
    throw new Refusal(`${error instanceof Error ? error.message : String(error)}\n\n${HELP}`)
  }
}

function required(name: string): string {
  const value = process.env[name]
  if (value) return value
  throw new Refusal(`${name} is missing.\n\n${HELP}`)
}

await bootstrap().catch(end)
