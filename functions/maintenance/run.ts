import type { Job } from '../core/vocabulary.ts'
import type { Gateway } from '../store/gateway.ts'
import { SCHEDULE } from './schedule.ts'

/** Each call does a bounded batch. What is left after so many waits for the next minute. */
const MAX_BATCHES = 20

interface JobResult {
  readonly job: Job
  readonly processed: number
  /** True if there is more to do. */
  readonly more: boolean
}

export interface JobReport {
  readonly job: Job
  readonly processed: number
  readonly batches: number
  readonly more: boolean
}

/** Runs what the schedule has for this cron expression, to its end, and says what it did. @throws Failure */
export async function runScheduled(gateway: Gateway, cron: string, requestId: string): Promise<readonly JobReport[]> {
  const reports: JobReport[] = []
  for (const entry of SCHEDULE) {
    if (entry.cron === cron) reports.push(await runJob(gateway, entry.job, requestId))
  }
  return reports
}

async function runJob(gateway: Gateway, job: Job, requestId: string): Promise<JobReport> {
  const run = gateway.bind<{ job: Job }, { results: readonly JobResult[] }>('api_maintenance')
  let report: JobReport = { job, processed: 0, batches: 0, more: true }
  while (report.more && report.batches < MAX_BATCHES) {
    const { results } = await run({ type: 'cron', request_id: requestId }, { job })
    report = {
      job,
      processed: results.reduce((sum, result) => sum + result.processed, report.processed),
      batches: report.batches + 1,
      more: results.some((result) => result.more),
    }
  }
  return report
}
