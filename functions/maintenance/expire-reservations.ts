import type { ScheduledJob } from './job.ts'

/** Marks reservations that are past their expiry as ended. */
export const expireReservations: ScheduledJob = { job: 'expire_reservations', cron: '* * * * *', maxSteps: 20 }
