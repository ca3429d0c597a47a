import { z } from 'zod'

/** For how many of the next requests; until it is cleared, when absent. */
const requests = z.int().min(1).max(1_000_000_000).optional()

const faultSettings = z.strictObject({
  /** Waits before anything is done with the request: a network far away. */
  delay: z
    .strictObject({ ms: z.number().min(0).max(60_000), requests })
    .nullable()
    .optional(),
  /** Cuts the connection before the work: the request was lost. */
  dropBefore: z.strictObject({ requests }).nullable().optional(),
  /** Answers with this status before the work: the platform had a bad moment. */
  error: z
    .strictObject({ status: z.int().min(400).max(599), requests })
    .nullable()
    .optional(),
  /** Cuts the connection after the work: the answer was lost. */
  dropAfter: z.strictObject({ requests }).nullable().optional(),
})

/** What goes wrong on purpose. Several may be set; a request meets them in the order of their listing. */
export type FaultSettings = z.infer<typeof faultSettings>

/** What one request has to suffer. */
export type Suffering = { delayMs: number; dropBefore: boolean; errorStatus: number | undefined; dropAfter: boolean }

export type Faults = {
  /** Sets the faults that are named, null clears one, the others stay. @throws ZodError when they do not fit */
  set(settings: FaultSettings): void
  clear(): void
  /** Those still in force, with the requests that they have left. */
  current(): FaultSettings
  /** Called once per request: uses up one of each fault's requests. */
  take(): Suffering
}

const NOTHING: Suffering = { delayMs: 0, dropBefore: false, errorStatus: undefined, dropAfter: false }

export function createFaults(): Faults {
  let active: FaultSettings = {}

  function use<Name extends keyof FaultSettings>(name: Name): FaultSettings[Name] {
    const fault = active[name]
    if (fault?.requests !== undefined && --fault.requests === 0) delete active[name]
    return fault
  }

  return {
    set(settings) {
      active = Object.fromEntries(
        Object.entries({ ...active, ...faultSettings.parse(settings) }).filter(([, fault]) => fault != null),
      )
    },
    clear() {
      active = {}
    },
    current: () => structuredClone(active),
    take() {
      if (Object.keys(active).length === 0) return NOTHING
      return {
        delayMs: use('delay')?.ms ?? 0,
        dropBefore: use('dropBefore') != null,
        errorStatus: use('error')?.status,
        dropAfter: use('dropAfter') != null,
      }
    },
  }
}
