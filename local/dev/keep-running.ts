import { isRunning } from '../process-info.ts'
import { reasonOf } from './cannot-start.ts'

const LOOK_EVERY_MS = 500
/** Whoever ends it more often than that wants it ended, or it cannot run. */
const RESTARTS = 5
const RESTARTS_WITHIN_MS = 60_000

/** A server of ours. Without a pid it is in this process, and cannot end alone. */
type Server = { pid: number | undefined; stop(): Promise<void> }

export type KeepRunningOptions = {
  name: string
  server: Server
  /** Starts it again, where it was. What it throws is shown, and it is tried again. */
  startAgain(): Promise<Server>
}

export type KeptRunning = {
  /** Resolves when it has ended too often, with what to say. */
  lost: Promise<string>
  /** Ends it for good, also one that is just being started. */
  stop(): Promise<void>
}

/** Starts a server again when it ends unexpectedly, which we may not be told of: looks now and then whether it lives. */
export function keepRunning({ name, server, startAgain }: KeepRunningOptions): KeptRunning {
  const { promise: lost, resolve } = Promise.withResolvers<string>()
  let current = server
  let restarts: number[] = []
  let stopped = false
  let looking: Promise<void> | undefined
  const timer = setInterval(() => {
    looking ??= look().finally(() => {
      looking = undefined
    })
  }, LOOK_EVERY_MS)

  async function look(): Promise<void> {
    if (current.pid === undefined || (await isRunning(current.pid)) || stopped) return
    const now = performance.now()
    restarts = restarts.filter((at) => now - at < RESTARTS_WITHIN_MS)
    if (restarts.length === RESTARTS) {
      clearInterval(timer)
      return resolve(`${name} ended unexpectedly, after ${RESTARTS} restarts within a minute`)
    }
    restarts.push(now)
    console.error(`${name} ended unexpectedly: it is started again`)
    try {
      current = await startAgain()
    } catch (error) {
      if (!stopped) console.error(`${name} could not be started again: ${reasonOf(error)}`)
    }
  }

  return {
    lost,
    async stop() {
      stopped = true
      clearInterval(timer)
      await looking
      await current.stop()
    },
  }
}
