import { cpus, loadavg, totalmem } from 'node:os'

/** What the numbers were measured on. */
export function describeMachine(engines: string): string {
  const [cpu] = cpus()
  const load = loadavg()[0]?.toFixed(1)
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`
  return `${cpu?.model.trim()}, ${cpus().length} cores, ${memory}, load ${load} at the start; node ${process.versions.node}, ${engines}`
}
