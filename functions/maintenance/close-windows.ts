import type { ScheduledJob } from './job.ts'

/** Freezes the windows that take no more arrivals, for billing. After the end of a month there is much to do. */
export const closeWindows: ScheduledJob = { job: 'close_windows', cron: '*/10 * * * *', maxSteps: 100 }
