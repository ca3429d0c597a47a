import { readFile } from 'node:fs/promises'
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from 'miniflare'

export type Workerd = { url: string; stop(): Promise<void> }

/** Runs a bundled Worker in a workerd of its own, on a port of its own, without leave to reach anything but loopback. */
export async function startWorkerd(script: string, bindings: Record<string, string>): Promise<Workerd> {
  const options = convertV4MiniflareOptions({
    modules: true,
    script,
    host: '127.0.0.1',
    port: 0,
    compatibilityDate: await compatibilityDate(),
    bindings,
    cf: false,
    telemetry: { enabled: false },
    log: new Log(LogLevel.WARN),
  })
  // Observability would write a trace of every request to disk.
  const miniflare = new Miniflare({ ...options, unsafeObservability: false, unsafeLocalExplorer: false })
  const url = await miniflare.ready
  return { url: url.href, stop: () => miniflare.dispose() }
}

async function compatibilityDate(): Promise<string> {
  const toml = await readFile(new URL('../../../wrangler.toml', import.meta.url), 'utf8')
  const [, date] = /^compatibility_date = "([\d-]+)"$/m.exec(toml) ?? []
  if (date === undefined) throw new Error('wrangler.toml has no compatibility_date')
  return date
}
