import type { ScheduledJob } from './job.ts'

/** Verifies the hash chains of the ledger and the audit trail, a part of them in each run. */
export const verifyChain: ScheduledJob = { job: 'verify_chain', cron: '37 * * * *', maxSteps: 40 }
