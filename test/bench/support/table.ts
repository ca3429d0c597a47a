import { markdownTable } from './report.ts'
import { type Goal, isMissed, type Result } from './row.ts'

const HEAD = ['what', 'against', 'value', 'baseline', 'ratio', 'spread', 'goal', '']
const LEFT_ALIGNED = 2

/** `judged` tells which of the results count. */
export type Judged = (result: Result) => boolean

/** The results as a table for a terminal. */
export function renderTable(results: readonly Result[], judged: Judged): string {
  const lines = [HEAD, ...cellsOf(results, judged)]
  const widths = HEAD.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)))
  const cell = (text: string, column: number) =>
    column < LEFT_ALIGNED ? text.padEnd(widths[column] ?? 0) : text.padStart(widths[column] ?? 0)
  return lines.map((line) => line.map(cell).join('  ').trimEnd()).join('\n')
}

/** The same for a document. */
export function renderMarkdown(results: readonly Result[], judged: Judged): string {
  return markdownTable(HEAD, cellsOf(results, judged))
}

function cellsOf(results: readonly Result[], judged: Judged): string[][] {
  return results.map((result) => [
    result.what,
    result.against,
    amount(result.a, result.unit),
    amount(result.b, result.unit),
    result.ratio.toFixed(2),
    `${result.min.toFixed(2)}–${result.max.toFixed(2)}`,
    goalText(result.goal),
    verdict(result, judged(result)),
  ])
}

function verdict(result: Result, judged: boolean): string {
  if (result.goal === 'report') return 'reported'
  if (!judged) return 'not judged'
  return isMissed(result) ? 'MISSED' : 'ok'
}

function amount(value: number, unit: string): string {
  const digits = Number.isInteger(value) || value >= 1000 ? 0 : value >= 100 ? 1 : 3
  return `${value.toFixed(digits)}${unit && ` ${unit}`}`
}

function goalText(goal: Goal): string {
  if (goal === 'report') return '–'
  if ('atMost' in goal) return `≤ ${goal.atMost}`
  if ('below' in goal) return `< ${goal.below}`
  return 'atLeast' in goal ? `≥ ${goal.atLeast}` : `= ${goal.equals}`
}
