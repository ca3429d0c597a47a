import { inject } from 'vitest'
import { expectDocumented, type Reply, toReply } from './edge.ts'
import type { EdgeStores } from './edge-stores.ts'
import { type Isolate as BareIsolate, buildIsolate, type IsolateOptions } from './isolate.ts'

export { type Clock, createClock } from './isolate.ts'

export interface Isolate extends Omit<BareIsolate, 'fetch'> {
  call(method: string, path: string, body: unknown, bearer: string, headers?: Record<string, string>): Promise<Reply>
}

/** Another isolate on the stores of the edge tests. Its answers are held to the OpenAPI document. */
export function startIsolate(options: IsolateOptions = {}): Isolate {
  const isolate = buildIsolate(inject<EdgeStores>('edge'), options)
  return {
    ...isolate,
    async call(method, path, body, bearer, headers = {}) {
      const response = await isolate.fetch(method, path, body, { Authorization: `Bearer ${bearer}`, ...headers })
      const reply = await toReply(response)
      await expectDocumented({ method, path, ...reply })
      return reply
    },
  }
}
