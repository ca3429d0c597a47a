import { closeWindows } from './close-windows.ts'
import { expireLeases } from './expire-leases.ts'
import { expireReservations } from './expire-reservations.ts'
import type { ScheduledJob } from './job.ts'
import { reconcile } from './reconcile.ts'
import { signHeads } from './sign-heads.ts'
import { verifyChain } from './verify-chain.ts'

/** What cron does. The expressions are those of `[triggers]` in wrangler.toml. */
export const SCHEDULE: readonly ScheduledJob[] = [
  expireLeases,
  expireReservations,
  closeWindows,
  reconcile,
  verifyChain,
  signHeads,
]
