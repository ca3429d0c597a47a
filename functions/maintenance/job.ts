import type { Job } from '../core/vocabulary.ts'

/** A job of the schedule. Each only records what is true without it; late by an hour, every answer is still right. */
export interface ScheduledJob {
  readonly job: Job
  /** When it runs: one of the expressions of `[triggers]` in wrangler.toml. */
  readonly cron: string
  /** How many steps a run has at most. What is left waits for the next run, which goes on from there. */
  readonly maxSteps: number
}

/** What one bounded step did. */
export interface StepResult {
  readonly job: Job
  readonly processed: number
  /** True if there is more to do. */
  readonly more: boolean
  readonly differences?: Difference[]
  readonly too_large?: Pair[]
  readonly faults?: Fault[]
}

interface Pair {
  readonly account_uuid: string
  readonly resource: string
}

interface Difference extends Pair {
  readonly law: string
  readonly subject: string
}

/** Where a hash chain is broken: docs/LEDGER_CHAIN.md. */
interface Fault {
  readonly chain: 'ledger' | 'audit'
  readonly account_uuid: string | null
  readonly resource: string | null
  readonly fault: 'changed' | 'inserted' | 'missing' | 'details_changed' | 'head_changed' | 'rewritten'
  readonly seq: number | null
  readonly through_seq: number | null
  readonly entry_id: string | null
}

/** What a run did. */
export interface JobReport {
  readonly job: Job
  readonly processed: number
  readonly steps: number
  readonly more: boolean
  /** Of reconcile: what did not agree, and what was too large to be compared. */
  readonly differences: readonly object[]
  readonly too_large: readonly object[]
  /** Of verify_chain: where chains are broken. */
  readonly faults: readonly object[]
  /** The code of what ended it before its time. */
  readonly failed: string | null
}
