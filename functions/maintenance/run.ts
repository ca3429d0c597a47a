import type { Propagate } from '../core/changes.ts'
import { Failure } from '../core/failure.ts'
import type { JobReport, ScheduledJob, StepResult } from './job.ts'
import { SCHEDULE } from './schedule.ts'
import type { RunStep } from './step.ts'

/** So that all that runs in one minute is over within it. */
const JOB_BUDGET_MS = 20_000

/**
 * Runs what the schedule has for this cron expression, each until it is done or its bound is reached, and says what it
 * did. A job that fails keeps no other from running. `nowMs`: the wall clock, in milliseconds since 1970.
 */
export async function runScheduled(
  runStep: RunStep,
  propagate: Propagate,
  cron: string,
  requestId: string,
  nowMs: () => number,
): Promise<readonly JobReport[]> {
  const reports: JobReport[] = []
  for (const scheduled of SCHEDULE) {
    if (scheduled.cron === cron) reports.push(await runJob(runStep, propagate, scheduled, requestId, nowMs))
  }
  return reports
}

async function runJob(
  runStep: RunStep,
  propagate: Propagate,
  { job, maxSteps }: ScheduledJob,
  requestId: string,
  nowMs: () => number,
): Promise<JobReport> {
  const until = nowMs() + JOB_BUDGET_MS
  let report: JobReport = {
    ...{ job, processed: 0, steps: 0, more: true },
    ...{ differences: [], too_large: [], faults: [], failed: null },
  }
  while (report.more && report.steps < maxSteps && nowMs() < until) {
    try {
      const readAtMs = nowMs()
      const { answer, changes } = await runStep({ type: 'cron', request_id: requestId }, { job })
      await propagate(changes, { readAtMs, isAwaited: true })
      report = answer.results.reduce(addStep, { ...report, steps: report.steps + 1, more: false })
    } catch (error) {
      return { ...report, failed: error instanceof Failure ? error.code : 'internal' }
    }
  }
  return report
}

function addStep(
  report: JobReport,
  { processed, more, differences = [], too_large = [], faults = [] }: StepResult,
): JobReport {
  return {
    ...report,
    processed: report.processed + processed,
    more: report.more || more,
    differences: [...report.differences, ...differences],
    too_large: [...report.too_large, ...too_large],
    faults: [...report.faults, ...faults],
  }
}
