import type { Job } from '../core/vocabulary.ts'

/** When what runs. The expressions are those of `[triggers]` in wrangler.toml. */
export const SCHEDULE: readonly { readonly cron: string; readonly job: Job }[] = [
  // Late by an hour, every answer is still right: the job only marks leases that have ended.
  { cron: '* * * * *', job: 'expire_leases' },
]
