import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const repository = fileURLToPath(new URL('../../../', import.meta.url))
const BUDGET_MS = 60_000

/**
 * What `wrangler deploy` would upload for this script, by our wrangler.toml (also for baselines: same minifier, same
 * compatibility date). Nothing leaves the machine.
 */
export async function bundle(script: string, folder: string): Promise<string> {
  const wrangler = join(dirname(createRequire(import.meta.url).resolve('wrangler/package.json')), 'bin/wrangler.js')
  const outdir = join(folder, basename(script, '.ts'))
  await promisify(execFile)(process.execPath, [wrangler, 'deploy', script, '--dry-run', '--outdir', outdir], {
    cwd: repository,
    timeout: BUDGET_MS,
    env: {
      ...process.env,
      CI: 'true',
      CLOUDFLARE_CF_FETCH_ENABLED: 'false',
      WRANGLER_SEND_METRICS: 'false',
      WRANGLER_HIDE_BANNER: 'true',
      WRANGLER_LOG_PATH: join(folder, 'logs'),
    },
  })
  return await readFile(join(outdir, `${basename(script, '.ts')}.js`), 'utf8')
}
