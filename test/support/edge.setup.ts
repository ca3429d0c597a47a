import type { TestProject } from 'vitest/node'
import type { EdgeStores } from './edge-stores.ts'
import { startStores } from './stores.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    edge: EdgeStores
  }
}

/**
 * The stores behind the Worker under test, once for all test files. Test files mint namespaces of their own and run one
 * after the other, so that requests can be counted and faults set.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const { stores, stop } = await startStores()
  project.provide('edge', stores)
  return stop
}
