import type { Cloud } from './cloud.ts'
import type { Load } from './load.ts'
import type { Report } from './report.ts'
import type { Comparison } from './statistics.ts'

/** How much is done: all of it, or as little as shows that everything runs. */
export type Effort = 'full' | 'quick'

export type Bench = { cloud: Cloud; load: Load; effort: Effort; report: Report }

/** A bound on the ratio; `report` is measured and not judged. */
export type Goal = { atMost: number } | { below: number } | { atLeast: number } | { equals: number } | 'report'

export type Result = {
  what: string
  against: string
  unit: string
  goal: Goal
  /** Exact however little is measured, so that a short run may judge it: not a time, nor a cost that sizes decide. */
  counted: boolean
} & Comparison

/** One comparison of DESIGN.md's table, or several that share their set-up. */
export type Row = {
  /** For `--only`. */
  name: string
  run(bench: Bench): Promise<Result[]>
}

export function isMissed({ goal, ratio }: Result): boolean {
  if (goal === 'report') return false
  if ('atMost' in goal) return !(ratio <= goal.atMost)
  if ('below' in goal) return !(ratio < goal.below)
  if ('atLeast' in goal) return !(ratio >= goal.atLeast)
  return ratio !== goal.equals
}
