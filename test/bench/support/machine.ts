import { cpus, loadavg } from 'node:os'

/** What the numbers were measured on. */
export function describeMachine(postgresVersion: string): string {
  const [cpu] = cpus()
  const load = loadavg()[0]?.toFixed(1)
  return `${cpu?.model.trim()}, ${cpus().length} cores, load ${load}; node ${process.versions.node}, Postgres ${postgresVersion}`
}
