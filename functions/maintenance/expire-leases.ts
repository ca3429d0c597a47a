import type { ScheduledJob } from './job.ts'

/** Marks leases that are past their expiry as ended, so that lists and open leases stay short. */
export const expireLeases: ScheduledJob = { job: 'expire_leases', cron: '* * * * *', maxSteps: 20 }
