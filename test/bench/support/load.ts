import { Agent, request } from 'node:http'

/** One of the things that are compared: where it is and what it is asked. */
export type Target = {
  url: string
  headers: Record<string, string>
  /** The body of the request with this number; no number comes twice in a run. */
  body(number: number): string
  /** Called before each turn of at most so many requests, untimed. */
  prepare?(requests: number): Promise<void>
  /** A turn counts if it is over so soon after its preparation began; else it is taken again. */
  goodForMs?: number
  /** Any other status ends the run: an error is no measurement. */
  status: number
}

export type Bounds = { requests: number; ms: number }

export type Round = {
  /** In milliseconds, ascending. */
  latencies: number[]
  seconds: number
}

/** Enough to keep two cores busy. */
export const CONNECTIONS = 4
const REQUEST_BUDGET_MS = 10_000

/** Sends requests over kept connections, each as soon as its connection is free, until a bound is reached. */
export type Load = { round(target: Target, bounds: Bounds, connections?: number): Promise<Round>; close(): void }

export function createLoad(): Load {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS })
  let sent = 0

  async function round(target: Target, bounds: Bounds, connections = CONNECTIONS): Promise<Round> {
    const latencies: number[] = []
    const start = performance.now()
    let left = bounds.requests

    async function connection(): Promise<void> {
      while (left-- > 0 && performance.now() - start < bounds.ms) {
        const body = target.body(sent++)
        const asked = performance.now()
        await send(target, body, agent)
        latencies.push(performance.now() - asked)
      }
    }
    await Promise.all(Array.from({ length: connections }, connection))
    const seconds = (performance.now() - start) / 1000
    return { latencies: latencies.sort((a, b) => a - b), seconds }
  }
  return { round, close: () => agent.destroy() }
}

/** @throws with the answer when its status is another than the target's */
function send(target: Target, body: string, agent: Agent): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      ...target.headers,
    }
    const outgoing = request(target.url, { method: 'POST', agent, headers, timeout: REQUEST_BUDGET_MS }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => {
        if (response.statusCode === target.status) resolve()
        else reject(new Error(`${target.url} answered ${response.statusCode}: ${Buffer.concat(chunks)}`))
      })
    })
    outgoing.on('timeout', () => outgoing.destroy(new Error(`${target.url} did not answer`)))
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}
