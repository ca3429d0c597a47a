import { parseArgs } from 'node:util'
import { end, Refusal } from './refusal.ts'
import { connectService } from './service.ts'
import { smoke } from './smoke-steps.ts'

const HELP = `npm run smoke -- --url URL --key KEY [--redis]
Proves a deployment: uses it as a customer would, on an account of its own in the key's namespace, and cleans up. Prints
a line for each step; ends with 1, naming the step, when one fails.
  --key     an admin key; MEC_KEY in the environment does as well, and is seen by nobody else on the machine
  --redis   fail unless a check was answered from Redis`

async function run(): Promise<void> {
  const { url, key = process.env['MEC_KEY'], redis, help } = optionsOf(process.argv.slice(2))
  if (help) return console.log(HELP)
  if (url === undefined || !key) throw new Refusal(`${url === undefined ? '--url' : '--key'} is missing.\n\n${HELP}`)
  const service = connectService(urlOf(url), key)
  let steps = 0
  await smoke({
    service,
    needsRedis: redis ?? false,
    done(step) {
      steps += 1
      const heard = service.heard()
      const ms = heard.reduce((sum, answer) => sum + answer.ms, 0)
      console.log(
        `ok ${steps}  ${step}  (${ms.toFixed(0)} ms; ${heard.map((answer) => answer.serverTiming).join(' | ')})`,
      )
    },
    tell: (text) => console.log(`      ${text}`),
  })
  console.log(`${url} works: ${steps} steps`)
}

function urlOf(text: string): URL {
  if (URL.canParse(text) && /^https?:/.test(text)) return new URL(text)
  throw new Refusal(`--url ${text}: must be an http(s) URL`)
}

function optionsOf(args: string[]) {
  try {
    const [text, flag] = [{ type: 'string' }, { type: 'boolean' }] as const
    return parseArgs({ args, options: { url: text, key: text, redis: flag, help: flag } }).values
  } catch (error) {
    throw new Refusal(`${error instanceof Error ? error.message : String(error)}\n\n${HELP}`)
  }
}

await run().catch(end)
