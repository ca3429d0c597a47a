import { setTimeout as sleep } from 'node:timers/promises'
import { CannotStart, reasonOf } from './dev/cannot-start.ts'
import { parseSettings } from './dev/settings.ts'
import { startStack } from './dev/stack.ts'
import { isRunning } from './process-info.ts'

/** Ctrl-C in a terminal reaches us twice, once of it through npm: only a later one is a second one. */
const SECOND_SIGNAL_AFTER_MS = 700
/** How long a stop waits for the step of the start that is under way. */
const STEP_BUDGET_MS = 1_500
/** From the first signal to the end of this process, whatever happens. */
const STOP_BUDGET_MS = 4_500
const PARENT_EVERY_MS = 500

type Stop = () => void | Promise<void>
const stops: { 'at once': Stop[]; 'at the end': Stop[] } = { 'at once': [], 'at the end': [] }
const stopping = new AbortController()
let ready = false
let finishing: Promise<never> | undefined

async function main(): Promise<void> {
  // Whoever reads our output may go away before us.
  process.stdout.on('error', () => {})
  process.on('uncaughtException', (error) => void fail(error))
  const started = run()
  stopOnSignal(started)
  await started.catch(fail)
}

async function run(): Promise<void> {
  const settings = parseSettings(process.env)
  const stack = await startStack(settings, (stop, when = 'at once') => stops[when].push(stop), stopping.signal)
  ready = true
  console.log(stack.greeting)
  void stack.lost.then((what) => fail(new CannotStart(`${what}, so the rest was stopped`)))
}

/** Says why, and ends with 1; unless we are on our way out, when whatever fails fails for that reason. */
async function fail(error: unknown): Promise<void> {
  if (stopping.signal.aborted) return
  stopping.abort()
  console.error(`MEC ${ready ? 'stops' : 'cannot start'}: ${reasonOf(error)}`)
  if (!(error instanceof CannotStart) && process.env['DEBUG']) console.error(error)
  await finish(1)
}

function stopOnSignal(started: Promise<void>): void {
  let first: number | undefined
  const onSignal = () => {
    const now = performance.now()
    if (first === undefined) {
      first = now
      stopping.abort()
      void Promise.race([started.catch(() => {}), sleep(STEP_BUDGET_MS)]).then(() =>
        finish(0, STOP_BUDGET_MS - (performance.now() - now)),
      )
    } else if (now - first > SECOND_SIGNAL_AFTER_MS) {
      process.exit(1)
    }
  }
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
  const forgetParent = process.env['npm_lifecycle_event'] === undefined ? () => {} : onParentGone(onSignal)
  // Its terminal has gone, and so are we. Without one of its own, as under `nohup`, it goes on, also when npm does not:
  // Node, and so npm, has SIGHUP end it, whatever `nohup` had set.
  process.on('SIGHUP', process.stdout.isTTY || process.stderr.isTTY ? onSignal : forgetParent)
}

/** A killed npm cannot pass its signal on. @returns what makes its end no matter any more */
function onParentGone(callback: () => void): () => void {
  const parent = process.ppid
  let matters = true
  const timer = setInterval(async () => {
    if (process.ppid === parent && (await isRunning(parent))) return
    clearInterval(timer)
    if (matters) callback()
  }, PARENT_EVERY_MS)
  timer.unref()
  return () => {
    matters = false
  }
}

/** Stops what was started and ends, once. What will not stop is left to the exit hooks and to the warden. */
function finish(exitCode: number, budgetMs = STOP_BUDGET_MS): Promise<never> {
  finishing ??= Promise.race([stopAll(), sleep(budgetMs, false)]).then((clean) => process.exit(clean ? exitCode : 1))
  return finishing
}

/** Stops everything that was started. @returns false when something would not stop */
async function stopAll(): Promise<boolean> {
  let clean = true
  for (const together of [stops['at once'].reverse(), stops['at the end']]) {
    await Promise.all(
      together.map(async (stop) => {
        try {
          await stop()
        } catch (error) {
          clean = false
          console.error(`MEC did not stop cleanly: ${reasonOf(error)}`)
        }
      }),
    )
  }
  return clean
}

await main()
