import type { ScheduledJob } from './job.ts'

/** Compares counters with the ledger, a part of all accounts in each run. */
export const reconcile: ScheduledJob = { job: 'reconcile', cron: '7 * * * *', maxSteps: 40 }
