import { type Asked, type Command, type Cost, costOf } from './explain.ts'
import { renderPlot, type Series } from './plot.ts'
import type { Bench } from './row.ts'

/** Something that grows, and who has how much of it. */
export type Growth = { name: string; label: string; at: readonly { x: number; asked: Asked }[] }

const COMMANDS: readonly Command[] = ['check', 'consume']
const COSTS: readonly { of: keyof Cost; label: string }[] = [
  { of: 'ms', label: 'ms in the database' },
  { of: 'buffers', label: 'buffers touched' },
]

/** What check and consume cost inside Postgres as something grows, as plots. */
export async function plotGrowth(bench: Bench, growths: readonly Growth[]): Promise<void> {
  const images: string[] = []
  for (const { name, label, at } of growths) {
    const measured: { command: Command; points: { x: number; cost: Cost }[] }[] = []
    for (const command of COMMANDS) {
      const points: { x: number; cost: Cost }[] = []
      for (const { x, asked } of at) points.push({ x, cost: await costOf(bench, command, asked) })
      measured.push({ command, points })
    }
    for (const { of, label: unit } of COSTS) {
      const series: Series[] = measured.map(({ command, points }) => ({
        name: command,
        points: points.map(({ x, cost }) => ({ x, y: cost[of] })),
      }))
      const svg = renderPlot('Cost of one call', label, unit, series)
      images.push(bench.report.plot(`${name}-${of}`, `${unit} by ${label}`, svg))
    }
  }
  bench.report.section('Cost against growth', images.join('\n\n'))
}
