import { readFile } from 'node:fs/promises'
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from 'miniflare'
import { z } from 'zod'

/** A bundled Worker. */
export type Script = { name: string; text: string; bindings: Record<string, string> }

export type Workerd = {
  /** Of the Worker with this name: straight to it, without miniflare's own Worker in front. */
  url(name: string): Promise<string>
  /** Of V8's inspector of that Worker's isolate, if it was asked for. */
  inspector(name: string): Promise<string>
  stop(): Promise<void>
}

/** Runs Workers in one workerd, each in an isolate and on a port of its own, without leave to reach anything but loopback. */
export async function startWorkerd(scripts: readonly Script[], { inspected = false } = {}): Promise<Workerd> {
  const date = await compatibilityDate()
  const options = convertV4MiniflareOptions({
    host: '127.0.0.1',
    port: 0,
    cf: false,
    telemetry: { enabled: false },
    log: new Log(LogLevel.WARN),
    ...(inspected && { inspectorPort: 0 }),
    workers: scripts.map(({ name, text, bindings }) => ({
      name,
      modules: true,
      script: text,
      compatibilityDate: date,
      bindings,
      unsafeDirectSockets: [{ host: '127.0.0.1', port: 0 }],
    })),
  })
  // Observability would write a trace of every request to disk.
  const miniflare = new Miniflare({ ...options, unsafeObservability: false, unsafeLocalExplorer: false })
  await miniflare.ready
  return {
    url: async (name) => (await miniflare.unsafeGetDirectURL(name)).href,
    inspector: async (name) => inspectorOf(name, await miniflare.getInspectorURL()),
    stop: () => miniflare.dispose(),
  }
}

async function compatibilityDate(): Promise<string> {
  const toml = await readFile(new URL('../../../wrangler.toml', import.meta.url), 'utf8')
  const [, date] = /^compatibility_date = "([\d-]+)"$/m.exec(toml) ?? []
  if (date === undefined) throw new Error('wrangler.toml has no compatibility_date')
  return date
}

const Targets = z.array(z.object({ id: z.string(), webSocketDebuggerUrl: z.string() }))

async function inspectorOf(name: string, url: URL): Promise<string> {
  const list = new URL('/json/list', url)
  list.protocol = 'http:'
  const targets = Targets.parse(await (await fetch(list)).json())
  const found = targets.find(({ id }) => id.endsWith(`:${name}`))
  if (found === undefined) throw new Error(`the inspector knows ${targets.map(({ id }) => id).join()} and no ${name}`)
  return found.webSocketDebuggerUrl
}
